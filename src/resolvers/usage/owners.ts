const SELECT = 'select $1::bigint as id union all select id from account where merged_into = $1';

/**
 * Begins the `with` of a statement: an account ($1) and those that were merged into it, whose entries and closed hours
 * stay theirs.
 */
export const WITH_OWNERS = `with owners as (${SELECT})`;
/** The ids of `owners`, for sums over all of them. */
export const OWNERS = 'array(select id from owners)';
/** The same ids where a statement needs them once, without that `with`. */
export const OWNER_IDS = `array(${SELECT})`;

/**
 * Begins the `with` of a statement: an account ($1) and those that were merged into it, whose entries and closed hours
 * stay theirs.
 */
export const WITH_OWNERS =
  'with owners as (select $1::bigint as id union all select id from account where merged_into = $1)';
/** The ids of `owners`, for sums over all of them. */
export const OWNERS = 'array(select id from owners)';

/** An account ($1) and those that were merged into it, whose entries and closed hours stay theirs. Ids, as a table. */
export const EACH_OWNER = '(select $1::bigint as id union all select id from account where merged_into = $1)';
/** The same as an array, for sums. */
export const OWNERS = `array${EACH_OWNER}`;

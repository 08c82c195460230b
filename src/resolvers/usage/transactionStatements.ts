import { sql, type Statement } from '../../database/sql.ts';
import { KEY_COLUMNS } from '../apiKeys/rows.ts';
import { ENTRY_SUBTYPE, ENTRY_TYPE } from './transactionRows.ts';

/**
 * Transactions are ledger entries other than consumption, and usage hours, open or closed (a
 * closed hour and its entry are the same transaction under the same id).
 * Parameters: $1 account, $2 type, $3 subtype number, $4 key; null = any.
 */
const ENTRIES = `from ledger_entry
  where account_id = $1 and kind <> 'CONSUMPTION' and $4::bigint is null
    and ($2::text is null or ${ENTRY_TYPE} = $2) and ($3::int is null or ${ENTRY_SUBTYPE} = $3)`;
const HOURS = `from usage_hour
  where account_id = $1 and ($2::text is null or $2 = 'CONSUMPTION')
    and ($3::int is null or product = $3) and ($4::bigint is null or key_id = $4)`;

const ENTRY_COLUMNS = `tx_id, at, ${ENTRY_TYPE} as type, ${ENTRY_SUBTYPE} as subtype_number, amount, ref,
  null::bigint as consumer_id, null::int as product, null::bigint as up, null::bigint as down`;
const HOUR_COLUMNS = `tx_id, hour as at, 'CONSUMPTION' as type, product::int as subtype_number, -amount as amount,
  null::text as ref, key_id as consumer_id, product::int as product, up, down`;

const TOTALS = `totals as (
  select (e.count + h.count) as total_count, (coalesce(e.sum, 0) - coalesce(h.sum, 0))::bigint as total_amount
  from (select count(*), sum(amount) ${ENTRIES}) e, (select count(*), sum(amount) ${HOURS}) h)`;

/**
 * $5, $6: strictly before this (instant, id); $7, $8: strictly after that one; $9 rows, after
 * skipping $10. Each branch is cut to what the page can need before they are merged.
 */
function page(name: string, direction: 'asc' | 'desc', totals: boolean): Statement {
  const branch = (columns: string, from: string, at: string): string =>
    `(select ${columns} ${from}
       and (${at}, tx_id) < ($5::timestamptz, $6::bigint) and (${at}, tx_id) > ($7::timestamptz, $8::bigint)
     order by ${at} ${direction}, tx_id ${direction} limit $9::int + $10::int)`;
  const order = `at ${direction}, tx_id ${direction}`;
  return sql(
    name,
    `with ${totals ? `${TOTALS},` : ''} page as (
       select *, row_number() over (partition by consumer_id order by tx_id) = 1 as leads from (
         select * from (${branch(ENTRY_COLUMNS, ENTRIES, 'at')} union all ${branch(HOUR_COLUMNS, HOURS, 'hour')}) both_kinds
         order by ${order} limit $9 offset $10) cut)
     select ${totals ? 'totals.*,' : ''} page.*, ${KEY_COLUMNS}
     from ${totals ? 'totals left join page on true' : 'page'}
     left join api_key_profile k on k.id = page.consumer_id and page.leads
     left join api_key m on m.id = k.id
     order by ${order}`,
  );
}

/** Newest first. */
export const NEWEST = page('transactionsNewest', 'desc', false);
/** Newest first; every row (one of nulls when the page is empty) carries count and sum of all that match. */
export const NEWEST_WITH_TOTALS = page('transactionsNewestTotals', 'desc', true);
/** Oldest first: for `last`. */
export const OLDEST = page('transactionsOldest', 'asc', false);
export const OLDEST_WITH_TOTALS = page('transactionsOldestTotals', 'asc', true);

/** One transaction by its id: $1 account, $2 id. */
export const BY_ID = sql(
  'transactionById',
  `select t.*, ${KEY_COLUMNS}
   from (select ${ENTRY_COLUMNS} from ledger_entry where account_id = $1 and tx_id = $2 and kind <> 'CONSUMPTION'
         union all
         select ${HOUR_COLUMNS} from usage_hour where account_id = $1 and tx_id = $2) t
   left join api_key_profile k on k.id = t.consumer_id
   left join api_key m on m.id = k.id`,
);

/** Sums by type and subtype: $1 account. */
export const SUMMARY = sql(
  'transactionSummary',
  `select type, subtype_number, count(*) as count, sum(amount)::bigint as total
   from (select ${ENTRY_TYPE} as type, ${ENTRY_SUBTYPE} as subtype_number, amount
         from ledger_entry where account_id = $1 and kind <> 'CONSUMPTION'
         union all
         select 'CONSUMPTION', product::int, -amount from usage_hour where account_id = $1) t
   group by type, subtype_number
   order by array_position(array['DEPOSIT', 'CONSUMPTION', 'ADJUSTMENT'], type), subtype_number`,
);

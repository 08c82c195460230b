import { sql, type Statement } from '../../database/sql.ts';
import { KEY_COLUMNS } from '../apiKeys/rows.ts';
import { OWNERS, WITH_OWNERS } from './owners.ts';
import { ENTRY_SUBTYPE, ENTRY_TYPE, type TransactionType } from './transactionRows.ts';

/**
 * Transactions are ledger entries other than consumption, and usage hours, open or closed (a
 * closed hour and its entry are the same transaction under the same id). Those of accounts that
 * were merged into this one are among them, in place of the transfers that brought their sums.
 */
const LISTED = `kind <> 'CONSUMPTION' and kind <> 'TRANSFER'`;
const ENTRIES = `from ledger_entry where account_id = any(${OWNERS}) and ${LISTED}`;
const HOURS = `from usage_hour where account_id = any(${OWNERS})`;
/** The same of one of these accounts: each is read by its index, in order, no further than a page goes. */
const OWN_ENTRIES = `from ledger_entry where account_id = owner.id and ${LISTED}`;
const OWN_HOURS = 'from usage_hour where account_id = owner.id';

const ENTRY_COLUMNS = `tx_id, at, ${ENTRY_TYPE} as type, ${ENTRY_SUBTYPE} as subtype_number, amount, ref,
  null::bigint as consumer_id, null::int as product`;
const HOUR_COLUMNS = `tx_id, hour as at, 'CONSUMPTION' as type, product::int as subtype_number, -amount as amount,
  null::text as ref, key_id as consumer_id, product::int as product`;
const ENTRY_BYTES = ', null::bigint as up, null::bigint as down';
const HOUR_BYTES = ', up, down';

/** What a statement for a page does; every shape that is used has one of its own, so that each has the best plan. */
export interface PageShape {
  readonly type: TransactionType | null;
  readonly subtype: boolean;
  readonly key: boolean;
  /** Before and after a place. */
  readonly older: boolean;
  readonly newer: boolean;
  /** For `last`. */
  readonly oldestFirst: boolean;
  readonly offset: boolean;
  /** Every row (one of nulls when the page is empty) carries count and sum of all that match. */
  readonly totals: boolean;
  /** No bytes, and of keys the name alone. */
  readonly brief: boolean;
}

const FLAGS = ['subtype', 'key', 'older', 'newer', 'oldestFirst', 'offset', 'totals', 'brief'] as const;
const pages = new Map<string, Statement>();

/**
 * Parameters: $1 account; then, each if the shape has it: subtype number; key; instant and id of the place to be
 * older than; of the place to be newer than; rows; rows to skip. There are at most 1024 shapes, of which clients
 * use few.
 */
export function pageStatement(shape: PageShape): Statement {
  const flags = FLAGS.map((flag) => (shape[flag] ? '1' : '0')).join('');
  const name = `transactions_${shape.type ?? 'any'}_${flags}`;
  let statement = pages.get(name);
  if (statement === undefined) pages.set(name, (statement = sql(name, pageText(shape))));
  return statement;
}

function pageText(shape: PageShape): string {
  let last = 1;
  const next = (): string => `$${++last}`;
  const filters = filterOf(shape, next);
  const older = shape.older ? `(${next()}::timestamptz, ${next()}::bigint)` : undefined;
  const newer = shape.newer ? `(${next()}::timestamptz, ${next()}::bigint)` : undefined;
  const rows = next();
  const skipped = shape.offset ? next() : undefined;
  const direction = shape.oldestFirst ? 'asc' : 'desc';
  // Each branch is cut to what the page can need before they are merged.
  const branch = (columns: string, from: string, at: string): string =>
    `select cut.* from owners owner cross join lateral (
       select ${columns} ${from}${older === undefined ? '' : ` and (${at}, tx_id) < ${older}`}${
         newer === undefined ? '' : ` and (${at}, tx_id) > ${newer}`
       } order by ${at} ${direction}, tx_id ${direction} limit ${rows}::int${skipped === undefined ? '' : ` + ${skipped}::int`}) cut`;
  const branches = [
    ...(filters.entries === undefined
      ? []
      : [branch(ENTRY_COLUMNS + (shape.brief ? '' : ENTRY_BYTES), OWN_ENTRIES + filters.entries, 'at')]),
    ...(filters.hours === undefined
      ? []
      : [branch(HOUR_COLUMNS + (shape.brief ? '' : HOUR_BYTES), OWN_HOURS + filters.hours, 'hour')]),
  ];
  const order = `at ${direction}, tx_id ${direction}`;
  const cut = `select * from (${branches.join(' union all ')}) listed order by ${order} limit ${rows}::int${
    skipped === undefined ? '' : ` offset ${skipped}::int`
  }`;
  const totals = shape.totals ? `${totalsText(shape, filters)}, ` : '';
  const source = shape.totals ? 'totals left join page on true' : 'page';
  const select = `select ${shape.totals ? 'totals.*, ' : ''}page.*,`;
  if (shape.brief)
    return `${WITH_OWNERS}, ${totals}page as (${cut}) ${select} k.name as key_name
     from ${source} left join api_key_profile k on k.id = page.consumer_id order by ${order}`;
  return `${WITH_OWNERS}, ${totals}page as (
       select *, row_number() over (partition by consumer_id order by tx_id) = 1 as leads from (${cut}) cut)
     ${select} ${KEY_COLUMNS}
     from ${source}
     left join api_key_profile k on k.id = page.consumer_id and page.leads
     left join api_key m on m.id = k.id
     order by ${order}`;
}

/** Conditions on entries and on hours; undefined: none of them match. */
interface Filters {
  readonly entries: string | undefined;
  readonly hours: string | undefined;
}

function filterOf({ type, subtype, key }: PageShape, next: () => string): Filters {
  const number = subtype ? `${next()}::int` : undefined;
  const keyId = key ? `${next()}::bigint` : undefined;
  const ofType = type === null ? '' : ` and ${ENTRY_TYPE} = '${type}'`;
  const ofSubtype = number === undefined ? '' : ` and ${ENTRY_SUBTYPE} = ${number}`;
  const ofProduct = number === undefined ? '' : ` and product = ${number}`;
  const ofKey = keyId === undefined ? '' : ` and key_id = ${keyId}`;
  const hours = type === null || type === 'CONSUMPTION' ? ofProduct + ofKey : undefined;
  if (hours !== undefined && (key || type === 'CONSUMPTION')) return { entries: undefined, hours };
  // Only consumption has a key: with another type nothing matches.
  return { entries: `${ofType}${ofSubtype}${keyId === undefined ? '' : ` and ${keyId} is null`}`, hours };
}

function totalsText({ type, subtype, key }: PageShape, { entries, hours }: Filters): string {
  const none = '(select 0::bigint as count, 0::numeric as sum)';
  const ofEntries = entries === undefined ? none : `(select count(*), sum(amount) ${ENTRIES}${entries})`;
  const ofHours = hours === undefined ? none : `(select count(*), sum(amount) ${HOURS}${hours})`;
  if (type !== null || subtype || key)
    return `totals as (
      select e.count + h.count as total_count, (coalesce(e.sum, 0) - coalesce(h.sum, 0))::bigint as total_amount
      from ${ofEntries} e, ${ofHours} h)`;
  // All transactions together are the balance.
  return `totals as (
    select (select count(*) ${ENTRIES}) + (select count(*) ${HOURS}) as total_count,
      (select balance from account where id = $1) as total_amount)`;
}

/** One transaction by its id: $1 account, $2 id. */
export const BY_ID = sql(
  'transactionById',
  `${WITH_OWNERS} select t.*, ${KEY_COLUMNS}
   from (select ${ENTRY_COLUMNS}${ENTRY_BYTES} ${ENTRIES} and tx_id = $2
         union all
         select ${HOUR_COLUMNS}${HOUR_BYTES} ${HOURS} and tx_id = $2) t
   left join api_key_profile k on k.id = t.consumer_id
   left join api_key m on m.id = k.id`,
);

/** Sums by type and subtype: $1 account. */
export const SUMMARY = sql(
  'transactionSummary',
  `${WITH_OWNERS} select type, subtype_number, count(*) as count, sum(amount)::bigint as total
   from (select ${ENTRY_TYPE} as type, ${ENTRY_SUBTYPE} as subtype_number, amount
         ${ENTRIES}
         union all
         select 'CONSUMPTION', product::int, -amount ${HOURS}) t
   group by type, subtype_number
   order by array_position(array['DEPOSIT', 'CONSUMPTION', 'ADJUSTMENT'], type), subtype_number`,
);

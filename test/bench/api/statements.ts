/**
 * The hand-written SQL of the peers: the same counters and roll-up tables that our server reads, one statement per
 * item. Mercurius authenticates with a statement of its own and then gives the account's id; the bare handler
 * does both in one.
 */
export interface Statement {
  readonly name: string;
  readonly text: string;
}

/** The account and key of a credential: $1 its lookup hash. */
const CALLER = `select k.user_id as account_id, k.id as key_id
  from api_key_secret s join api_key_profile k on k.id = s.key_id
  where s.lookup = $1 and k.revoked_at is null and (s.expires_at is null or s.expires_at > clock_timestamp())`;

export const AUTHENTICATE: Statement = { name: 'authenticate', text: CALLER };

/** How a statement knows account and key: from parameters, or from the credential. */
interface Source {
  readonly prefix: string;
  readonly account: string;
  readonly key: string;
}
export const KNOWN: Source = { prefix: '', account: '$1', key: '$2' };
export const BY_CREDENTIAL: Source = {
  prefix: `with caller as (${CALLER})`,
  account: '(select account_id from caller)',
  key: '(select key_id from caller)',
};

const NAMES = ['day', 'week', 'month'] as const;

const used = (table: string, name: string): string =>
  `case when ${table}.${name}_start >= date_trunc('${name}', now(), 'UTC') then ${table}.${name}_used else 0 end`;

const windows = (table: string): string =>
  NAMES.map((name) => `${table}.${name}_limit, ${used(table, name)} as ${name}_used`).join(', ');

const leftOf = (table: string): string =>
  NAMES.map((name) => `${table}.${name}_limit - ${used(table, name)}`).join(', ');

export const viewer = ({ prefix, account, key }: Source): string =>
  `${prefix} select a.balance, greatest(0, least(a.balance, ${leftOf('a')}, ${leftOf('m')})) as remaining
   from account a join api_key m on m.account_id = a.id where a.id = ${account} and m.id = ${key}`;

export const keys = ({ prefix, account }: Source): string =>
  `${prefix} select k.id, k.name, ${windows('m')} from api_key_profile k join api_key m on m.id = k.id
   where k.user_id = ${account} order by k.revoked_at is not null, k.id limit 1000`;

/** The account's own windows first. */
export const accountAndKeys = ({ prefix, account }: Source): string =>
  `${prefix} select * from (
     select 0 as place, null::bigint as id, null::text as name, ${windows('a')} from account a where a.id = ${account}
     union all
     select case when k.revoked_at is null then 1 else 2 end, k.id, k.name, ${windows('m')}
     from api_key_profile k join api_key m on m.id = k.id where k.user_id = ${account}) t
   order by place, id limit 1001`;

export const transactions = ({ prefix, account }: Source): string =>
  `${prefix}${prefix === '' ? 'with' : ','} totals as (
     select e.count + h.count as total_count, (coalesce(e.sum, 0) - coalesce(h.sum, 0))::bigint as total_amount
     from (select count(*), sum(amount) from ledger_entry where account_id = ${account} and kind <> 'CONSUMPTION') e,
       (select count(*), sum(amount) from usage_hour where account_id = ${account}) h),
   page as (
     select * from (
       (select tx_id, at, kind, contra, amount, ref, null::bigint as key_id, null::int as product
        from ledger_entry where account_id = ${account} and kind <> 'CONSUMPTION'
        order by at desc, tx_id desc limit 50)
       union all
       (select tx_id, hour, 'CONSUMPTION', null, -amount, null, key_id, product
        from usage_hour where account_id = ${account}
        order by hour desc, tx_id desc limit 50)) both_kinds
     order by at desc, tx_id desc limit 50)
   select totals.*, page.*, k.name as key_name
   from totals left join page on true left join api_key_profile k on k.id = page.key_id
   order by at desc, tx_id desc`;

const sums = (parts: readonly string[]): string =>
  [1, 2, 3]
    .flatMap((product) =>
      parts.map(
        (part) => `coalesce(sum(${part}) filter (where product = ${product}), 0)::bigint as ${part}_${product}`,
      ),
    )
    .join(', ');

const byDay = (account: string, parts: readonly string[]): string =>
  `select days.day::date::text as label, usage.*, coalesce(deposits.amount, 0)::bigint as deposits
   from generate_series((now() at time zone 'UTC')::date - interval '29 days', (now() at time zone 'UTC')::date,
     interval '1 day') days(day)
   left join lateral (
     select ${sums(parts)} from usage_day where account_id = ${account} and day = days.day::date) usage on true
   left join (
     select (at at time zone 'UTC')::date as day, sum(amount) as amount from ledger_entry
     where account_id = ${account} and kind = 'DEPOSIT' and at >= date_trunc('day', now(), 'UTC') - interval '29 days'
     group by 1) deposits on deposits.day = days.day::date`;

const byHour = (account: string): string =>
  `select (extract(hour from hours.hour at time zone 'UTC'))::int::text, usage.*,
     coalesce(deposits.amount, 0)::bigint
   from generate_series(date_trunc('day', now(), 'UTC'), date_trunc('day', now(), 'UTC') + interval '23 hours',
     interval '1 hour') hours(hour)
   left join lateral (
     select ${sums(['amount'])} from usage_hour where account_id = ${account} and hour = hours.hour) usage on true
   left join (
     select date_trunc('hour', at, 'UTC') as hour, sum(amount) as amount from ledger_entry
     where account_id = ${account} and kind = 'DEPOSIT' and at >= date_trunc('day', now(), 'UTC')
     group by 1) deposits on deposits.hour = hours.hour`;

export const days = ({ prefix, account }: Source): string =>
  `${prefix} ${byDay(account, ['up', 'down', 'amount'])} order by days.day`;

/** 30 days, then the 24 hours of today. */
export const daysAndHours = ({ prefix, account }: Source): string =>
  `${prefix} (${byDay(account, ['amount'])} order by days.day) union all (${byHour(account)} order by hours.hour)`;

/** The ledger's own function does the work. $1 account or credential, $2 key, $3 limits. */
export const limit = ({ prefix, account }: Source): string =>
  `${prefix} select k.id, k.name, k.prefix, k.created_at, k.last_used_at, ${windows('m')}
   from api_key_profile k join api_key m on m.id = k.id
   cross join lateral ledger_limits(null, k.id, '{t,t,t}', $3::bigint[], null) l
   where k.id = $2 and k.user_id = ${account} and k.revoked_at is null`;

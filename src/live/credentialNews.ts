import { sql } from '../database/sql.ts';
import type { EndCause, KeyRulesRow } from '../keyRules.ts';

/** Those credentials (positions from 1) of which there is news: an end, now or at a known time, or other rules. */
export const NEWS = sql(
  'credentialsNews',
  `select * from (
     select c.n::int as n, m.account_id as owner, c.rules_no as known_rules, k.rules_no, k.scopes, k.allowed_ips, k.products,
       k.show_targets,
       least(k.expires_at, s.expires_at) as ends_at,
       case
         when c.session_id is not null
           and (t.id is null or t.revoked_at is not null or t.expires_at <= clock_timestamp()) then 'REVOKED'
         when c.key_id is not null and not coalesce(m.active, false) then 'REVOKED'
         when m.account_id <> c.user_id then 'MOVED'
         when c.lookup is not null and (s.lookup is null or s.expires_at <= clock_timestamp()) then 'REPLACED'
         when k.expires_at <= clock_timestamp() then 'EXPIRED'
         when u.suspended_at is not null then 'SUSPENDED'
       end as cause
     from unnest($1::bigint[], $2::bigint[], $3::uuid[], $4::text[], $5::int[]) with ordinality
       as c (user_id, key_id, session_id, lookup, rules_no, n)
     left join users u on u.id = c.user_id
     left join session t on t.id = c.session_id
     left join api_key m on m.id = c.key_id
     left join api_key_profile k on k.id = m.id
     left join api_key_secret s on s.lookup = decode(c.lookup, 'hex')
   ) found where cause is not null or ends_at is not null or rules_no <> known_rules`,
);

/** What is new about one credential. */
export interface News extends KeyRulesRow {
  /** Its position. */
  readonly n: number;
  /** Account of the key; null without a key. */
  readonly owner: bigint | null;
  readonly ends_at: Date | null;
  readonly cause: EndCause | null;
}

/** A fault put into the ledger's SQL: each `from` occurs in the text of the named function. */
export interface Mutation {
  readonly name: string;
  readonly function: string;
  readonly edits: readonly (readonly [from: string, to: string])[];
}

const one = (name: string, fn: string, from: string, to: string): Mutation => ({
  name,
  function: fn,
  edits: [[from, to]],
});

/** Faults that the simulation must find. */
export const MUTATIONS: readonly Mutation[] = [
  {
    name: 'a replay is applied again',
    function: 'ledger_tick',
    edits: [
      [`when r.seq <= coalesce(l.seq, 0) then 'REPLAY'`, `when false then 'REPLAY'`],
      ['when r.seq = coalesce(l.seq, 0) + 1 and', 'when r.seq <= coalesce(l.seq, 0) + 1 and'],
    ],
  },
  {
    name: 'a replay releases credit',
    function: 'ledger_tick',
    edits: [
      [
        `case when q.outcome = 'APPLIED' then least(q.held - q.cost, q.want)`,
        `case when q.outcome = 'REPLAY' then least(q.held, q.want) when q.outcome = 'APPLIED' then least(q.held - q.cost, q.want)`,
      ],
      [`t.key_id, t.account_id, t.last_seq + 1,`, `t.key_id, t.account_id, t.last_seq + t.applied::integer,`],
      [`from lent t where t.applied`, `from lent t where t.outcome in ('APPLIED', 'REPLAY')`],
    ],
  },
  one('a gap is accepted', 'ledger_tick', 'when r.seq = coalesce(l.seq, 0) + 1 and', 'when r.seq > coalesce(l.seq, 0) and'),
  one('an overdraft is accepted', 'ledger_tick', 'and coalesce(c.cost, 0) <= coalesce(l.reserved, 0) then', 'then'),
  one('keys of one batch do not share', 'ledger_tick', 'w.spare - sum(w.chunk) over', 'w.spare - 0 * sum(w.chunk) over'),
  one('the balance is lent twice', 'ledger_tick', 'a.balance - s.cost - (a.reserved - s.back) as spare_balance', 'a.balance - s.cost as spare_balance'),
  one('the daily limit is lent twice', 'ledger_tick', 'w.day_used - w.day - (a.reserved - s.back) as spare_day', 'w.day_used - w.day as spare_day'),
  one('the weekly limit is not looked at', 'ledger_tick', 'least(spare_balance, spare_day, spare_week, spare_month)', 'least(spare_balance, spare_day, spare_month)'),
  one('a key lends its limits twice', 'ledger_tick', '- (q.key_reserved - (q.held - x.keep)) as key_spare', 'as key_spare'),
  one('yesterday counts as today', 'ledger_tick', 'filter (where line.hour >= v_day)', 'filter (where true)'),
  one('the day of an account never ends', 'ledger_tick', 'case when a.day_start < v_day then 0 else a.day_used end as day_used', 'a.day_used'),
  one('the week of a key never ends', 'ledger_tick', 'case when k.week_start < v_week then 0 else k.week_used end as week_used', 'k.week_used'),
  one('what was forgiven is never forgotten', 'ledger_tick', 'day_base = case when a.day_start < v_day then 0 else a.day_base end', 'day_base = a.day_base'),
  one('the month is not rolled', 'ledger_tick', 'month_start = greatest(a.month_start, v_month)', 'month_start = a.month_start'),
  one('bytes move to the hour of their settlement', 'ledger_tick', `least(date_trunc('hour', u.hour, 'UTC'), v_hour)`, 'v_hour'),
  one('a release stays reserved', 'ledger_tick', 'select p.id, p.balance, p.reserved + t.gift', 'select p.id, p.balance, p.reserved + p.back - p.cost + t.gift'),
  one('events are counted once per account', 'ledger_tick', 'p.seq + coalesce(e.events, 0)', 'p.seq + least(1, coalesce(e.events, 0))'),
  one('the daily roll-up forgets', 'ledger_tick', 'set up = d.up + excluded.up', 'set up = excluded.up'),
  one('what remains ignores the window', 'ledger_tick', 'p.day_limit - p.day_used - (sum', 'p.day_limit - (sum'),
  one('a revoked key gets credit', 'ledger_tick', 'case when s.applied and s.active and p.status = 0', 'case when s.applied and p.status = 0'),
  one('a suspended account gets credit', 'ledger_tick', 'case when s.applied and s.active and p.status = 0', 'case when s.applied and s.active'),
  one('a fenced instance settles', 'ledger_tick', 'where id = p_instance and state = 0 for key share', 'where id = p_instance for key share'),
  one('an hour closes under a lease in use', 'ledger_hour_in_use', 'select exists (', 'select false and exists ('),
  one('closing bills the wrong way', 'ledger_close', '-v_hour.amount, v_hour.balance', 'v_hour.amount, v_hour.balance'),
  one('expiry keeps the reservation', 'ledger_expire', 'update account a set reserved = a.reserved - d.held', 'update account a set reserved = a.reserved'),
  one('expiry does not fence', 'ledger_expire', 'update instance set state = 1', 'update instance set state = 0'),
  one('expiry fences the living', 'ledger_expire', 'seen_at <= v_now - p_ttl', 'seen_at <= v_now'),
  one('a merge leaves the leases', 'ledger_merge', 'update lease set account_id = p_into where account_id = p_from;', ''),
  one('a merge leaves the open hours', 'ledger_merge', 'update usage_hour set account_id = p_into where account_id = p_from and not closed;', ''),
  one('a merge forgets what was used', 'ledger_merge', 'week_used = week_used + v_from.week_used', 'week_used = week_used'),
  one('a merge moves no credit', 'ledger_merge', 'balance = balance + v_from.balance', 'balance = balance'),
  one('merges form a chain', 'ledger_merge', 'update account set merged_into = p_into where merged_into = p_from;', ''),
  one('pruning forgets the sums', 'ledger_prune', 'set archived = h.archived + g.amount', 'set archived = h.archived'),
  one('pruning forgets how far it went', 'ledger_prune', 'set pruned_seq = greatest(a.pruned_seq, last.seq)', 'set pruned_seq = a.pruned_seq'),
  one('a reset forgets what it forgave', 'ledger_reset', 'day_base = day_base + case when v_day then day_used else 0 end', 'day_base = day_base'),
  one('a posting is applied without an entry', 'ledger_post', 'set balance = a.balance + p_amount', 'set balance = a.balance + 2 * p_amount'),
  one('any content passes for the same posting', 'ledger_post', 'and v_entry.amount = p_amount', ''),
  one('the floor counts lent credit', 'ledger_post', 'v_account.balance - v_account.reserved + p_amount < 0', 'v_account.balance + p_amount < 0'),
]; // prettier-ignore

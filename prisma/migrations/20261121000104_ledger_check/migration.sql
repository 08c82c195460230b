-- The invariants of the ledger, each checked from first principles; ARCHITECTURE.md, "Ledger",
-- numbers them. One statement, so one snapshot: it may run beside traffic.
--
-- One row per fault: which invariant, what it is about, and by how much it is off. Rows of
-- invariant 3 are sums above a limit: right after an administrative act (limit lowered, reversal,
-- merge) they are allowed and can then only fall, which one snapshot cannot tell.
CREATE FUNCTION ledger_check() RETURNS TABLE (invariant integer, subject text, difference bigint)
LANGUAGE plpgsql STABLE
-- Everything is read anyway; a nested loop would be a plan made when the tables were small. A plan
-- with a disabled step looks dear enough to be compiled, which takes far longer than running it.
SET enable_nestloop = off SET jit = off AS $$
#variable_conflict use_column
begin
  return query
  with
  hours as (
    select h.*, coalesce(a.merged_into, a.id) as owner from usage_hour h join account a on a.id = h.account_id
  ),
  entries as (select account_id, sum(amount)::bigint as amount from ledger_entry group by 1),
  open_hours as (select account_id, sum(amount)::bigint as amount from usage_hour where not closed group by 1),
  leases as (select account_id, key_id, sum(reserved)::bigint as reserved from lease group by 1, 2),
  events as (
    select key_id, product, hour, -sum(amount)::bigint as amount from usage_event
    where kind = 'usage' group by 1, 2, 3
  ),
  windows as (
    select 'account ' || a.id as subject, 'a' as level, a.id, a.reserved, w.*
    from account a cross join lateral (values
      ('day', a.day_limit, a.day_used, a.day_base, a.day_start, a.day_start + interval '1 day'),
      ('week', a.week_limit, a.week_used, a.week_base, a.week_start, a.week_start + interval '7 days'),
      ('month', a.month_limit, a.month_used, a.month_base, a.month_start,
        (a.month_start at time zone 'UTC' + interval '1 month') at time zone 'UTC')
    ) w (name, cap, used, base, first, past)
    where a.status <> 2
    union all
    select 'key ' || k.id, 'k', k.id, k.reserved, w.*
    from api_key k cross join lateral (values
      ('day', k.day_limit, k.day_used, k.day_base, k.day_start, k.day_start + interval '1 day'),
      ('week', k.week_limit, k.week_used, k.week_base, k.week_start, k.week_start + interval '7 days'),
      ('month', k.month_limit, k.month_used, k.month_base, k.month_start,
        (k.month_start at time zone 'UTC' + interval '1 month') at time zone 'UTC')
    ) w (name, cap, used, base, first, past)
  ),
  -- hours in the current windows, without looking at all of history
  recent as (
    select owner, key_id, hour, amount from hours
    where hour >= (select min(first) from windows where first > '1970-01-01')
  ),
  counted as (
    select w.level, w.id, w.name, sum(r.amount)::bigint as amount
    from windows w join recent r on r.owner = w.id and r.hour >= w.first and r.hour < w.past
    where w.level = 'a' group by 1, 2, 3
    union all
    select w.level, w.id, w.name, sum(r.amount)::bigint
    from windows w join recent r on r.key_id = w.id and r.hour >= w.first and r.hour < w.past
    where w.level = 'k' group by 1, 2, 3
  ),
  chain as (
    select account_id, seq, amount, balance, lag(seq) over w as seq_before, lag(balance) over w as balance_before
    from usage_event window w as (partition by account_id order by seq)
  )
  -- 1: balance = entries - open hours, and negative only through a negative entry of somebody
  select 1, 'account ' || a.id || ': balance', a.balance - coalesce(e.amount, 0) + coalesce(o.amount, 0)
  from account a left join entries e on e.account_id = a.id left join open_hours o on o.account_id = a.id
  where a.balance <> coalesce(e.amount, 0) - coalesce(o.amount, 0)
  union all
  select 1, 'account ' || a.id || ': spent below zero', a.balance from account a
  where a.balance < 0 and not exists (
    select 1 from ledger_entry e where e.account_id = a.id and e.amount < 0 and e.kind <> 'CONSUMPTION')
  and not exists (
    select 1 from ledger_entry e join account m on m.id = e.account_id and m.merged_into = a.id
    where e.amount < 0 and e.kind in ('ADJUSTMENT', 'REVERSAL'))
  -- 2: reservations are the sums of the leases
  union all
  select 2, 'account ' || a.id || ': reserved', a.reserved - coalesce(l.reserved, 0)
  from account a left join (select account_id, sum(reserved)::bigint as reserved from leases group by 1) l
    on l.account_id = a.id
  where a.reserved <> coalesce(l.reserved, 0)
  union all
  select 2, 'key ' || k.id || ': reserved', k.reserved - coalesce(l.reserved, 0)
  from api_key k left join (select key_id, sum(reserved)::bigint as reserved from leases group by 1) l
    on l.key_id = k.id
  where k.reserved <> coalesce(l.reserved, 0)
  union all
  select 2, 'lease ' || l.instance_id || ' ' || l.key_id, l.granted - l.spent - l.reserved from lease l
  where l.granted - l.spent <> l.reserved
  union all
  select 2, 'lease ' || l.instance_id || ' ' || l.key_id || ': account', l.reserved
  from lease l join api_key k on k.id = l.key_id where k.account_id <> l.account_id
  -- 3: nothing is lent beyond a limit or the balance
  union all
  select 3, w.subject || ': ' || w.name, w.used + w.reserved - w.cap from windows w where w.used + w.reserved > w.cap
  union all
  select 3, 'account ' || a.id || ': balance', a.reserved - a.balance from account a
  where a.reserved > greatest(a.balance, 0) or a.balance < 0
  -- 4: counters are the sums of the hours in their windows
  union all
  select 4, w.subject || ': ' || w.name, w.used + w.base - coalesce(c.amount, 0)
  from windows w left join counted c on c.level = w.level and c.id = w.id and c.name = w.name
  where w.used + w.base <> coalesce(c.amount, 0)
  -- 5: hours, their events, the daily roll-up, prices and entries agree
  union all
  select 5, 'hour ' || h.key_id || ' ' || h.product || ' ' || h.hour || ': events',
    h.amount - h.archived - coalesce(e.amount, 0)
  from usage_hour h left join events e on e.key_id = h.key_id and e.product = h.product and e.hour = h.hour
  where h.amount <> h.archived + coalesce(e.amount, 0)
  union all
  select 5, 'events without an hour: key ' || e.key_id, e.amount from events e
  where not exists (select 1 from usage_hour h where h.key_id = e.key_id and h.product = e.product and h.hour = e.hour)
  union all
  select 5, 'hour ' || h.key_id || ' ' || h.product || ' ' || h.hour || ': price',
    h.amount - (h.up + h.down) * product_price(h.product)
  from usage_hour h where h.amount <> (h.up + h.down) * product_price(h.product)
  union all
  select 5,
    'day ' || coalesce(d.key_id, s.key_id) || ' ' || coalesce(d.product, s.product) || ' ' || coalesce(d.day, s.day),
    coalesce(d.amount, 0) - coalesce(s.amount, 0)
  from usage_day d
  full join (
    select key_id, product, (hour at time zone 'UTC')::date as day, sum(up)::bigint as up, sum(down)::bigint as down,
      sum(amount)::bigint as amount
    from usage_hour group by 1, 2, 3) s on s.key_id = d.key_id and s.product = d.product and s.day = d.day
  where (d.up, d.down, d.amount) is distinct from (s.up, s.down, s.amount)
  union all
  select 5, 'hour ' || h.key_id || ' ' || h.product || ' ' || h.hour || ': entry', h.amount + coalesce(e.amount, 0)
  from usage_hour h
  full join (select * from ledger_entry where kind = 'CONSUMPTION') e on e.tx_id = h.tx_id
  where coalesce(h.closed, true) and (h.amount is distinct from -e.amount or h.account_id <> e.account_id)
    or not h.closed and e.id is not null
  -- 6: events are numbered without gaps and add up to the balance
  union all
  select 6, 'account ' || a.id || ': count', a.seq - a.pruned_seq - coalesce(c.events, 0)
  from account a left join (
    select account_id, count(*) as events, min(seq) as first, max(seq) as last from usage_event group by 1) c
    on c.account_id = a.id
  where a.seq - a.pruned_seq <> coalesce(c.events, 0) or c.first <> a.pruned_seq + 1 or c.last <> a.seq
  union all
  select 6, 'account ' || c.account_id || ': event ' || c.seq, c.balance - c.balance_before - c.amount from chain c
  where c.balance <> c.balance_before + c.amount or c.seq <> c.seq_before + 1
  union all
  select 6, 'account ' || a.id || ': last event', e.balance - a.balance
  from account a join usage_event e on e.account_id = a.id and e.seq = a.seq where e.balance <> a.balance;
end $$;

-- Recomputes every hash chain. One row per broken link or head; `no` is the entry's.
CREATE FUNCTION ledger_check_chain() RETURNS TABLE (account_id bigint, no bigint) LANGUAGE sql STABLE AS $$
  select c.account_id, c.no from (
    select e.*, lag(e.hash, 1, ''::bytea) over w as before, lag(e.no, 1, 0::bigint) over w as no_before
    from ledger_entry e window w as (partition by e.account_id order by e.no)) c
  where c.prev <> c.before or c.no <> c.no_before + 1
    or c.hash <> ledger_hash(c.before, c.id, c.account_id, c.no, c.kind, c.contra, c.amount, c.at, c.ref)
  union all
  select a.id, a.entry_no from account a
  left join ledger_entry e on e.account_id = a.id and e.no = a.entry_no
  where a.head <> coalesce(e.hash, ''::bytea) or (a.entry_no > 0) <> (e.no is not null)
    or exists (select 1 from ledger_entry x where x.account_id = a.id and x.no > a.entry_no)
$$;

-- One settlement of one instance, for many leases: settles what was spent, gives back, renews and
-- grants, in one transaction. Rules: ARCHITECTURE.md, "Ledger".
--
-- Rows returned, told apart by `part`:
--   0  one: `label` OK or FENCED, `at` the clock
--   1  one per request: `label` the outcome, then granted, spent, seq, reason, contended, unreserved
--   2  one per new event of the usage streams, ascending per account
CREATE FUNCTION ledger_tick(
  p_instance uuid, p_now timestamptz, p_keys bigint[], p_seqs bigint[], p_wants bigint[],
  p_line_keys bigint[], p_line_products integer[], p_line_hours timestamptz[], p_line_ups bigint[],
  p_line_downs bigint[])
RETURNS TABLE (part integer, label text, at timestamptz, account_id bigint, key_id bigint, seq bigint,
  granted bigint, spent bigint, reason text, contended boolean, unreserved bigint,
  product integer, up bigint, down bigint, amount bigint, balance bigint, remaining bigint, key_remaining bigint)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
declare
  -- Smallest grant while there is that much, in nano-credits: 16 KiB of the cheapest product.
  c_min_chunk constant bigint := 49152;
  -- From so many rows on, planning anew for the real row counts is worth its cost.
  c_custom_plan_rows constant integer := 20;
  v_many text := case when cardinality(p_keys) >= c_custom_plan_rows then 'on' else 'off' end;
  v_keys bigint[] := array(select unnest(p_keys) order by 1);
  v_accounts bigint[];
  v_now timestamptz;
  v_hour timestamptz;
  v_day timestamptz;
  v_week timestamptz;
  v_month timestamptz;
begin
  perform ledger_assert_isolation();
  -- A generic plan is kept for as long as the connection lives, and may have been made when the
  -- tables were empty: few rows always go through indexes in nested loops, whatever the statistics.
  -- For the same reason no table below is joined: each row is looked up by itself (scalar subquery,
  -- lateral with limit or offset, ON CONFLICT), which leaves the planner no way to read all of it.
  perform set_config('plan_cache_mode',
      case v_many when 'on' then 'force_custom_plan' else 'force_generic_plan' end, true),
    set_config('enable_seqscan', v_many, true), set_config('enable_hashjoin', v_many, true),
    set_config('enable_mergejoin', v_many, true), set_config('jit', 'off', true);

  perform 1 from instance where id = p_instance and state = 0 for key share;
  if not found then
    return query select 0, 'FENCED', ledger_now(p_now), null::bigint, null::bigint, null::bigint, null::bigint,
      null::bigint, null::text, null::boolean, null::bigint, null::integer, null::bigint, null::bigint,
      null::bigint, null::bigint, null::bigint, null::bigint;
    return;
  end if;
  -- in the order of the sorted arrays, one by one
  perform (select 1 from api_key k where k.id = u.id for no key update) from unnest(v_keys) as u (id);
  v_accounts := array(
    select distinct (select k.account_id from api_key k where k.id = u.id) from unnest(v_keys) as u (id) order by 1);
  perform (select 1 from account a where a.id = u.id for no key update) from unnest(v_accounts) as u (id);

  v_now := ledger_now(p_now);
  v_hour := date_trunc('hour', v_now, 'UTC');
  v_day := date_trunc('day', v_now, 'UTC');
  v_week := date_trunc('week', v_now, 'UTC');
  v_month := date_trunc('month', v_now, 'UTC');

  return query
  with
  -- What flowed, per key, product and hour. An hour that is closed already, or not yet begun by
  -- this clock, counts as the current one.
  line as materialized (
    select s.*, (s.up + s.down) * product_price(s.product) as cost
    from (
      select u.key_id, u.product,
        case when h.closed then v_hour else least(date_trunc('hour', u.hour, 'UTC'), v_hour) end as hour,
        sum(u.up)::bigint as up, sum(u.down)::bigint as down,
        bool_or(u.up < 0 or u.down < 0 or product_price(u.product) is null) as bad
      from unnest(p_line_keys, p_line_products, p_line_hours, p_line_ups, p_line_downs)
        as u (key_id, product, hour, up, down)
      left join lateral (
        select o.closed from usage_hour o
        where o.key_id = u.key_id and o.product = u.product
          and o.hour = case when u.hour < v_hour then date_trunc('hour', u.hour, 'UTC') end
        limit 1
      ) h on true
      where u.up <> 0 or u.down <> 0
      group by 1, 2, 3
    ) s
  ),
  -- Per request: what to do with it. A key's windows that began before the current ones count as 0.
  request as materialized (
    select r.key_id, k.account_id, k.active, greatest(r.want, 0) as want,
      coalesce(l.seq, 0) as last_seq, coalesce(l.reserved, 0) as held, coalesce(l.spent, 0) as spent,
      case when k.id is null then 'UNKNOWN_KEY'
        when r.seq <= coalesce(l.seq, 0) then 'REPLAY'
        when r.seq = coalesce(l.seq, 0) + 1 and not coalesce(c.bad, false)
          and coalesce(c.cost, 0) <= coalesce(l.reserved, 0) then 'APPLIED'
        else 'REFUSED' end as outcome,
      coalesce(c.cost, 0) as cost,
      -- a window that began later than the current one (the clock went back) counts nothing earlier
      case when k.day_start > v_day then 0 else coalesce(c.day, 0) end as day,
      case when k.week_start > v_week then 0 else coalesce(c.week, 0) end as week,
      case when k.month_start > v_month then 0 else coalesce(c.month, 0) end as month,
      k.reserved as key_reserved, k.day_limit, k.week_limit, k.month_limit,
      case when k.day_start < v_day then 0 else k.day_used end as day_used,
      case when k.week_start < v_week then 0 else k.week_used end as week_used,
      case when k.month_start < v_month then 0 else k.month_used end as month_used
    from unnest(p_keys, p_seqs, p_wants) as r (key_id, seq, want)
    left join lateral (select * from api_key o where o.id = r.key_id limit 1) k on true
    left join lateral (
      select o.seq, o.reserved, o.spent from lease o where o.instance_id = p_instance and o.key_id = r.key_id limit 1
    ) l on true
    left join (
      select line.key_id, sum(line.cost)::bigint as cost, bool_or(line.bad) as bad,
        -- a byte counts in the windows that contain its hour, not the hour of its settlement
        coalesce(sum(line.cost) filter (where line.hour >= v_day), 0)::bigint as day,
        coalesce(sum(line.cost) filter (where line.hour >= v_week), 0)::bigint as week,
        coalesce(sum(line.cost) filter (where line.hour >= v_month), 0)::bigint as month
      from line group by line.key_id
    ) c on c.key_id = r.key_id
  ),
  -- Settled: keep = what stays of the reservation, back = what leaves it (spent or released).
  settled as materialized (
    select q.key_id, q.account_id, q.active, q.outcome, q.want, q.last_seq, q.held,
      q.outcome = 'APPLIED' as applied,
      q.spent + x.cost as spent, x.keep, q.held - x.keep as back, x.cost, x.day, x.week, x.month,
      q.key_reserved - (q.held - x.keep) as key_reserved, q.day_limit, q.week_limit, q.month_limit,
      q.day_used, q.week_used, q.month_used,
      least(q.day_limit - q.day_used - x.day, q.week_limit - q.week_used - x.week,
        q.month_limit - q.month_used - x.month) - (q.key_reserved - (q.held - x.keep)) as key_spare
    from request q
    cross join lateral (
      select case when q.outcome = 'APPLIED' then q.cost else 0 end as cost,
        case when q.outcome = 'APPLIED' then q.day else 0 end as day,
        case when q.outcome = 'APPLIED' then q.week else 0 end as week,
        case when q.outcome = 'APPLIED' then q.month else 0 end as month,
        case when q.outcome = 'APPLIED' then least(q.held - q.cost, q.want) else q.held end as keep
    ) x
    where q.account_id is not null
  ),
  -- Accounts after settling and giving back, before granting.
  purse as materialized (
    select a.id, a.status, a.seq, a.balance as balance_before, a.balance - s.cost as balance,
      a.reserved - s.back as reserved, a.day_limit, a.week_limit, a.month_limit,
      w.day_used, w.week_used, w.month_used, s.cost, w.day, w.week, w.month, s.back,
      a.balance - s.cost - (a.reserved - s.back) as spare_balance,
      a.day_limit - w.day_used - w.day - (a.reserved - s.back) as spare_day,
      a.week_limit - w.week_used - w.week - (a.reserved - s.back) as spare_week,
      a.month_limit - w.month_used - w.month - (a.reserved - s.back) as spare_month
    from (
      select settled.account_id, sum(settled.cost)::bigint as cost, sum(settled.back)::bigint as back,
        sum(settled.day)::bigint as day, sum(settled.week)::bigint as week, sum(settled.month)::bigint as month
      from settled group by settled.account_id
    ) s
    join lateral (select * from account o where o.id = s.account_id limit 1) a on true
    cross join lateral (
      select case when a.day_start < v_day then 0 else a.day_used end as day_used,
        case when a.week_start < v_week then 0 else a.week_used end as week_used,
        case when a.month_start < v_month then 0 else a.month_used end as month_used,
        case when a.day_start > v_day then 0 else s.day end as day,
        case when a.week_start > v_week then 0 else s.week end as week,
        case when a.month_start > v_month then 0 else s.month end as month
    ) w
  ),
  -- Chunks shrink with what is left, so that the last credit is shared and not locked up.
  wish as (
    select s.*, p.status, p.spare,
      case when s.applied and s.active and p.status = 0 then
        greatest(0, least(s.want - s.keep, x.spare, greatest(c_min_chunk, x.spare / 4))) else 0 end as chunk
    from settled s
    join (select purse.*, least(spare_balance, spare_day, spare_week, spare_month) as spare from purse) p
      on p.id = s.account_id
    cross join lateral (select least(p.spare, s.key_spare) as spare) x
  ),
  -- Keys of one account in one batch share what it has.
  given as (
    select w.*, greatest(0, least(w.chunk, w.spare - sum(w.chunk) over (partition by w.account_id
      order by w.key_id rows between unbounded preceding and 1 preceding)))::bigint as gift
    from wish w
  ),
  lent as materialized (
    select g.*, g.keep + g.gift as reserved,
      (sum(g.gift) over (partition by g.account_id))::bigint as account_gift
    from given g
  ),
  answer as materialized (
    select l.*, y.contended, y.unreserved, x.reason
    from lent l
    join purse p on p.id = l.account_id
    cross join lateral (select l.spare - l.account_gift as account_left, l.key_spare - l.gift as key_left) z
    cross join lateral (
      select case
        when not l.active then 'KEY_REVOKED'
        when l.status <> 0 then 'ACCOUNT_SUSPENDED'
        when not l.applied or l.reserved >= l.want then null
        when least(z.account_left, z.key_left) > 0 then 'SHARE'
        when z.key_left < z.account_left then case
          when l.day_limit - l.day_used - l.day - l.key_reserved = l.key_spare then 'KEY_DAY'
          when l.week_limit - l.week_used - l.week - l.key_reserved = l.key_spare then 'KEY_WEEK'
          else 'KEY_MONTH' end
        when p.spare_balance = l.spare then 'BALANCE'
        when p.spare_day = l.spare then 'ACCOUNT_DAY'
        when p.spare_week = l.spare then 'ACCOUNT_WEEK'
        else 'ACCOUNT_MONTH' end as reason
    ) x
    cross join lateral (
      select least(z.account_left, z.key_left) as unreserved,
        -- credit in other hands: of the same key where the key is what limits, else of the account
        coalesce(case
          when x.reason in ('KEY_DAY', 'KEY_WEEK', 'KEY_MONTH') then l.key_reserved + l.gift > l.reserved
          when x.reason in ('BALANCE', 'ACCOUNT_DAY', 'ACCOUNT_WEEK', 'ACCOUNT_MONTH')
            then p.reserved + l.account_gift > l.reserved
        end, false) as contended
    ) y
  ),
  event as materialized (
    select p.id as account_id, p.seq + row_number() over by_account as seq, n.key_id, n.product, n.hour, n.up,
      n.down, -n.cost as amount, p.balance_before - (sum(n.cost) over by_account)::bigint as balance,
      greatest(0, least(p.balance_before - (sum(n.cost) over by_account)::bigint,
        p.day_limit - p.day_used - (sum(case when n.hour >= v_day then n.cost else 0 end) over by_account)::bigint,
        p.week_limit - p.week_used - (sum(case when n.hour >= v_week then n.cost else 0 end) over by_account)::bigint,
        p.month_limit - p.month_used
          - (sum(case when n.hour >= v_month then n.cost else 0 end) over by_account)::bigint)) as remaining,
      least(
        s.day_limit - s.day_used - (sum(case when n.hour >= v_day then n.cost else 0 end) over by_key)::bigint,
        s.week_limit - s.week_used - (sum(case when n.hour >= v_week then n.cost else 0 end) over by_key)::bigint,
        s.month_limit - s.month_used
          - (sum(case when n.hour >= v_month then n.cost else 0 end) over by_key)::bigint) as key_left
    from line n
    join settled s on s.key_id = n.key_id and s.applied
    join purse p on p.id = s.account_id
    window by_account as (partition by p.id order by n.key_id, n.product, n.hour rows unbounded preceding),
      by_key as (partition by n.key_id order by n.product, n.hour rows unbounded preceding)
  ),
  put_event as (
    insert into usage_event (account_id, seq, at, kind, key_id, product, hour, up, down, amount, balance, remaining,
      key_remaining)
    select e.account_id, e.seq, v_now, 'usage', e.key_id, e.product, e.hour, e.up, e.down, e.amount, e.balance,
      e.remaining, case when e.key_left < 0 then 0 else e.key_left end
    from event e
  ),
  put_hour as (
    insert into usage_hour as h (key_id, product, hour, tx_id, account_id, up, down, amount)
    select e.key_id, e.product, e.hour, nextval('transaction_id'), e.account_id, e.up, e.down, -e.amount from event e
    on conflict (key_id, product, hour) do update
      set up = h.up + excluded.up, down = h.down + excluded.down, amount = h.amount + excluded.amount
  ),
  put_day as (
    insert into usage_day as d (key_id, day, product, account_id, up, down, amount)
    select e.key_id, (e.hour at time zone 'UTC')::date, e.product, e.account_id, sum(e.up)::bigint,
      sum(e.down)::bigint, -sum(e.amount)::bigint
    from event e group by 1, 2, 3, 4
    on conflict (key_id, day, product) do update
      set up = d.up + excluded.up, down = d.down + excluded.down, amount = d.amount + excluded.amount
  ),
  put_lease as (
    insert into lease as l (instance_id, key_id, account_id, seq, reserved, granted, spent, settled_at)
    select p_instance, t.key_id, t.account_id, t.last_seq + 1, t.reserved, t.spent + t.reserved, t.spent, v_now
    from lent t where t.applied
    on conflict (instance_id, key_id) do update
      set seq = excluded.seq, reserved = excluded.reserved, granted = excluded.granted, spent = excluded.spent,
        settled_at = excluded.settled_at
  ),
  -- These rows exist and are locked: "on conflict" is the update that finds each by its key.
  put_key as (
    insert into api_key as k (id, account_id, reserved, day_start, day_used, week_start, week_used, month_start,
      month_used)
    select t.key_id, t.account_id, t.key_reserved + t.gift, v_day, t.day_used + t.day, v_week, t.week_used + t.week,
      v_month, t.month_used + t.month
    from lent t where t.back <> 0 or t.gift <> 0
    on conflict (id) do update set reserved = excluded.reserved,
      day_base = case when k.day_start < v_day then 0 else k.day_base end,
      day_start = greatest(k.day_start, v_day), day_used = excluded.day_used,
      week_base = case when k.week_start < v_week then 0 else k.week_base end,
      week_start = greatest(k.week_start, v_week), week_used = excluded.week_used,
      month_base = case when k.month_start < v_month then 0 else k.month_base end,
      month_start = greatest(k.month_start, v_month), month_used = excluded.month_used
  ),
  put_account as (
    insert into account as a (id, balance, reserved, seq, day_start, day_used, week_start, week_used, month_start,
      month_used)
    select p.id, p.balance, p.reserved + t.gift, p.seq + coalesce(e.events, 0), v_day, p.day_used + p.day, v_week,
      p.week_used + p.week, v_month, p.month_used + p.month
    from purse p
    join (select lent.account_id, sum(lent.gift)::bigint as gift from lent group by 1) t on t.account_id = p.id
    left join (select event.account_id, count(*) as events from event group by 1) e on e.account_id = p.id
    where p.back <> 0 or t.gift <> 0
    on conflict (id) do update set balance = excluded.balance, reserved = excluded.reserved, seq = excluded.seq,
      day_base = case when a.day_start < v_day then 0 else a.day_base end,
      day_start = greatest(a.day_start, v_day), day_used = excluded.day_used,
      week_base = case when a.week_start < v_week then 0 else a.week_base end,
      week_start = greatest(a.week_start, v_week), week_used = excluded.week_used,
      month_base = case when a.month_start < v_month then 0 else a.month_base end,
      month_start = greatest(a.month_start, v_month), month_used = excluded.month_used
  ),
  -- Whoever else holds what is missing is asked to give back what it does not need.
  put_recall as (
    insert into recall (instance_id, key_id, at)
    select distinct l.instance_id, l.key_id, v_now
    from answer t
    cross join lateral (
      select o.instance_id, o.key_id from lease o where o.account_id = t.account_id and o.reserved > 0 offset 0
    ) l
    where t.contended and (t.reason not like 'KEY%' or l.key_id = t.key_id)
      and (l.instance_id, l.key_id) <> (p_instance, t.key_id)
    on conflict do nothing
  )
  select 0, 'OK', v_now, null::bigint, null::bigint, null::bigint, null::bigint, null::bigint, null::text,
    null::boolean, null::bigint, null::integer, null::bigint, null::bigint, null::bigint, null::bigint,
    null::bigint, null::bigint
  union all
  select 1, q.outcome, null, q.account_id, q.key_id, q.last_seq + (q.outcome = 'APPLIED')::integer,
    coalesce(t.spent + t.reserved, 0), coalesce(t.spent, 0), t.reason, coalesce(t.contended, false),
    coalesce(t.unreserved, 0), null, null, null, null, null, null, null
  from request q left join answer t on t.key_id = q.key_id
  union all
  (select 2, null, v_now, e.account_id, e.key_id, e.seq, null, null, null, null, null, e.product, e.up, e.down,
    e.amount, e.balance, e.remaining, case when e.key_left < 0 then 0 else e.key_left end
  from event e order by e.account_id, e.seq);
end $$;

-- What runs on timers: heartbeats, expiry of dead instances, closing of hours, pruning.

-- Heartbeat of an instance: one row per key whose lease must be renewed at once (key_id null: none).
-- A recall is repeated for 2 s, so that one lost answer loses nothing.
CREATE FUNCTION ledger_beat(p_instance uuid, p_now timestamptz)
RETURNS TABLE (fenced boolean, at timestamptz, key_id bigint) LANGUAGE plpgsql AS $$
#variable_conflict use_column
declare
  v_now timestamptz := ledger_now(p_now);
begin
  update instance set seen_at = greatest(seen_at, v_now) where id = p_instance and state = 0;
  if not found then
    return query select true, v_now, null::bigint;
    return;
  end if;
  return query
  with known as (select r.key_id, r.at from recall r where r.instance_id = p_instance),
  old as (
    delete from recall r using known k
    where r.instance_id = p_instance and r.key_id = k.key_id and k.at < v_now - interval '2 seconds'
  )
  select false, v_now, k.key_id from (select 1) one left join known k on true;
end $$;

-- Fences the instances that have been silent for p_ttl and takes back what they held. What they
-- spent without settling it is not charged: `lost` keeps its upper bound.
CREATE FUNCTION ledger_expire(p_ttl interval, p_now timestamptz)
RETURNS TABLE (instance_id uuid, leases bigint, lost bigint) LANGUAGE plpgsql AS $$
#variable_conflict use_column
declare
  v_now timestamptz := ledger_now(p_now);
  v_dead uuid[];
  v_keys bigint[];
begin
  perform ledger_assert_isolation();
  v_dead := array(select id from instance where state = 0 and seen_at <= v_now - p_ttl order by id for update);
  if v_dead = '{}' then
    return;
  end if;
  v_keys := array(select distinct l.key_id from lease l where l.instance_id = any (v_dead) and l.reserved > 0);
  perform 1 from api_key where id = any (v_keys) order by id for no key update;
  perform 1 from account a where a.id in (select k.account_id from api_key k where k.id = any (v_keys))
    order by a.id for no key update of a;
  update instance set state = 1 where id = any (v_dead);
  update api_key k set reserved = k.reserved - d.held
  from (select l.key_id, sum(l.reserved)::bigint as held from lease l
    where l.instance_id = any (v_dead) and l.reserved > 0 group by 1) d
  where k.id = d.key_id;
  update account a set reserved = a.reserved - d.held
  from (select l.account_id, sum(l.reserved)::bigint as held from lease l
    where l.instance_id = any (v_dead) and l.reserved > 0 group by 1) d
  where a.id = d.account_id;
  update lease l set lost = l.lost + l.reserved, granted = l.spent, reserved = 0
  where l.instance_id = any (v_dead) and l.reserved > 0;
  delete from recall r where r.instance_id = any (v_dead);
  return query
  select d.id, count(l.key_id) filter (where l.lost > 0), coalesce(sum(l.lost), 0)::bigint
  from unnest(v_dead) d (id) left join lease l on l.instance_id = d.id group by d.id;
end $$;

-- Closes up to p_limit hours that ended at least p_grace ago: one entry each. An hour stays open
-- while a live lease of its key holds credit and has not settled since the hour ended, for it may
-- still have bytes of that hour. The balance does not move: it has counted the open hour all along.
CREATE FUNCTION ledger_close(p_grace interval, p_limit integer, p_now timestamptz) RETURNS integer
LANGUAGE plpgsql AS $$
declare
  v_now timestamptz := ledger_now(p_now);
  v_accounts bigint[];
  v_hour record;
  v_closed integer := 0;
begin
  perform ledger_assert_isolation();
  v_accounts := array(
    select distinct c.account_id from (
      select h.account_id from usage_hour h
      where not h.closed and h.hour <= v_now - p_grace - interval '1 hour' and not ledger_hour_in_use(h.key_id, h.hour)
      order by h.hour limit p_limit) c);
  perform 1 from account where id = any (v_accounts) order by id for no key update;
  for v_hour in
    select h.*, a.balance from usage_hour h join account a on a.id = h.account_id
    where not h.closed and h.hour <= v_now - p_grace - interval '1 hour' and h.account_id = any (v_accounts)
      and not ledger_hour_in_use(h.key_id, h.hour)
    order by h.account_id, h.hour, h.key_id, h.product limit p_limit
  loop
    if not ledger_append(v_hour.account_id,
        'use:' || v_hour.key_id || ':' || v_hour.product || ':' || extract(epoch from v_hour.hour)::bigint,
        'CONSUMPTION', 'REVENUE', -v_hour.amount, v_hour.balance, v_now, null, v_hour.tx_id) then
      raise exception 'hour % of key % has an entry already', v_hour.hour, v_hour.key_id using errcode = '23505';
    end if;
    update usage_hour set closed = true
    where key_id = v_hour.key_id and product = v_hour.product and hour = v_hour.hour;
    v_closed := v_closed + 1;
  end loop;
  return v_closed;
end $$;

CREATE FUNCTION ledger_hour_in_use(p_key bigint, p_hour timestamptz) RETURNS boolean LANGUAGE sql STABLE AS $$
  select exists (
    select 1 from lease l join instance i on i.id = l.instance_id and i.state = 0
    where l.key_id = p_key and l.reserved > 0 and l.settled_at < p_hour + interval '1 hour')
$$;

-- Deletes events older than p_keep, of up to p_limit accounts, and notes their sums on the hours.
-- Returns the number of accounts pruned: call again while it equals p_limit.
CREATE FUNCTION ledger_prune(p_keep interval, p_limit integer, p_now timestamptz) RETURNS integer
LANGUAGE plpgsql AS $$
declare
  v_before timestamptz := ledger_now(p_now) - p_keep;
  v_accounts bigint[];
begin
  perform ledger_assert_isolation();
  v_accounts := array(
    select a.id from account a
    join usage_event e on e.account_id = a.id and e.seq = a.pruned_seq + 1 and e.at < v_before
    where a.seq > a.pruned_seq limit p_limit);
  -- hours of a merged account belong to the one it went to
  perform 1 from account a where a.id = any (v_accounts)
    or a.id in (select m.merged_into from account m where m.id = any (v_accounts))
    order by a.id for no key update of a;
  with last as (  -- the run of old events that starts at the first: no number may be missing in between
    select a.id, coalesce(
      (select min(e.seq) from usage_event e where e.account_id = a.id and e.at >= v_before), a.seq + 1) - 1 as seq
    from account a where a.id = any (v_accounts)
  ),
  gone as (
    delete from usage_event e using last where e.account_id = last.id and e.seq <= last.seq
    returning e.key_id, e.product, e.hour, e.amount
  ),
  archive as (
    update usage_hour h set archived = h.archived + g.amount
    from (select key_id, product, hour, -sum(amount)::bigint as amount from gone where product is not null
      group by 1, 2, 3) g
    where h.key_id = g.key_id and h.product = g.product and h.hour = g.hour
  )
  update account a set pruned_seq = greatest(a.pruned_seq, last.seq) from last where a.id = last.id;
  return cardinality(v_accounts);
end $$;

-- Forgets fenced instances, their leases and what they lost, after p_keep.
CREATE FUNCTION ledger_forget_instances(p_keep interval, p_now timestamptz) RETURNS integer LANGUAGE plpgsql AS $$
declare
  v_old uuid[];
begin
  v_old := array(select id from instance where state = 1 and seen_at < ledger_now(p_now) - p_keep order by id
    for update);
  delete from lease where instance_id = any (v_old);
  delete from instance where id = any (v_old);
  return cardinality(v_old);
end $$;

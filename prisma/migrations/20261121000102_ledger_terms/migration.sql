-- What people and the outside world do to an account: entries, limits, status, resets, merges.
-- Each returns an outcome and the new events of the usage streams (null columns when there is none).

CREATE FUNCTION ledger_open_instance(p_instance uuid, p_now timestamptz) RETURNS void LANGUAGE sql AS $$
  insert into instance (id, started_at, seen_at) select p_instance, t.at, t.at from ledger_now(p_now) as t (at)
$$;

CREATE FUNCTION ledger_open_account(p_account bigint) RETURNS void LANGUAGE sql AS $$
  insert into account (id) values (p_account)
$$;

-- The account is locked: a merge must not overlook the new key. Returns the account it went to,
-- null when there is none.
CREATE FUNCTION ledger_open_key(p_key bigint, p_account bigint, p_day bigint, p_week bigint, p_month bigint)
RETURNS bigint LANGUAGE plpgsql AS $$
declare
  v_account account;
begin
  perform ledger_assert_isolation();
  select * into v_account from account where id = p_account for no key update;
  if v_account.status = 2 then
    -- merged accounts point straight at a live one
    perform 1 from account where id = v_account.merged_into for no key update;
  end if;
  insert into api_key (id, account_id, day_limit, week_limit, month_limit)
  select p_key, coalesce(v_account.merged_into, v_account.id), p_day, p_week, p_month where v_account.id is not null;
  return coalesce(v_account.merged_into, v_account.id);
end $$;

-- Posts one entry, once per id. Outcomes: APPLIED; REPLAY (the id is there with the same content);
-- MISMATCH (with another); MERGED (post to `target` under the same id); INSUFFICIENT (with p_floor:
-- credit that is lent out cannot be taken back, so it does not count); UNKNOWN_ACCOUNT.
CREATE FUNCTION ledger_post(p_id text, p_account bigint, p_kind text, p_contra text, p_amount bigint, p_ref text,
  p_floor boolean, p_now timestamptz)
RETURNS TABLE (outcome text, balance bigint, target bigint, tx_id bigint, event usage_event)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
declare
  v_account account;
  v_entry ledger_entry;
  v_now timestamptz;
  v_tx bigint;
begin
  perform ledger_assert_isolation();
  select * into v_account from account where id = p_account for no key update;
  if not found then
    return query select 'UNKNOWN_ACCOUNT', null::bigint, null::bigint, null::bigint, null::usage_event;
    return;
  end if;
  select e.* into v_entry from ledger_entry e where e.id = p_id and e.kind <> 'TRANSFER';
  if found then
    return query select
      case when coalesce(a.merged_into, a.id) = coalesce(v_account.merged_into, v_account.id)
        and v_entry.kind = p_kind and v_entry.contra = p_contra and v_entry.amount = p_amount
        then 'REPLAY' else 'MISMATCH' end,
      (select l.balance from account l where l.id = coalesce(v_account.merged_into, v_account.id)),
      v_account.merged_into, v_entry.tx_id, null::usage_event
    from account a where a.id = v_entry.account_id;
    return;
  end if;
  if v_account.status = 2 then
    return query select 'MERGED', null::bigint, v_account.merged_into, null::bigint, null::usage_event;
    return;
  end if;
  v_now := ledger_now(p_now);
  if p_amount < 0 and v_account.balance - v_account.reserved + p_amount < 0 then
    perform ledger_recall(p_account, null, v_now);
    if p_floor then
      return query select 'INSUFFICIENT', v_account.balance, null::bigint, null::bigint, null::usage_event;
      return;
    end if;
  end if;
  v_tx := nextval('transaction_id');
  if not ledger_append(p_account, p_id, p_kind, p_contra, p_amount, v_account.balance + p_amount, v_now, p_ref, v_tx)
  then  -- another account took the id between our look and our insert
    return query select 'MISMATCH', v_account.balance, null::bigint, null::bigint, null::usage_event;
    return;
  end if;
  perform ledger_roll_account(p_account, v_now);
  update account a set balance = a.balance + p_amount where a.id = p_account;
  return query select 'APPLIED', v_account.balance + p_amount, null::bigint, v_tx,
    ledger_event(p_account, 'entry', null, p_amount, v_now);
end $$;

-- Locks the key (when there is one) and its account, and moves both to the current windows.
-- Returns the live account, null when there is none.
CREATE FUNCTION ledger_hold(p_account bigint, p_key bigint, p_now timestamptz) RETURNS account
LANGUAGE plpgsql AS $$
declare
  v_account account;
begin
  perform ledger_assert_isolation();
  if p_key is not null then
    select (ledger_roll_key(p_key, ledger_now(p_now))).account_id into p_account;
  end if;
  perform 1 from account where id = p_account for no key update;
  v_account := ledger_roll_account(p_account, ledger_now(p_now));
  if v_account.status = 2 then
    return null;
  end if;
  return v_account;
end $$;

-- Sets limits of a key, or of an account when p_key is null. p_set says which windows (day, week,
-- month) are meant; a null limit means none. Leases that no longer fit are recalled.
CREATE FUNCTION ledger_limits(p_account bigint, p_key bigint, p_set boolean[], p_limits bigint[], p_now timestamptz)
RETURNS TABLE (outcome text, event usage_event) LANGUAGE plpgsql AS $$
#variable_conflict use_column
declare
  v_account account := ledger_hold(p_account, p_key, p_now);
  v_now timestamptz := ledger_now(p_now);
  v_spare bigint;
begin
  if v_account.id is null then
    return query select 'UNKNOWN', null::usage_event;
    return;
  end if;
  if p_key is null then
    update account set
      day_limit = case when p_set[1] then p_limits[1] else day_limit end,
      week_limit = case when p_set[2] then p_limits[2] else week_limit end,
      month_limit = case when p_set[3] then p_limits[3] else month_limit end
    where id = v_account.id
    returning least(day_limit - day_used, week_limit - week_used, month_limit - month_used) - reserved into v_spare;
  else
    update api_key set
      day_limit = case when p_set[1] then p_limits[1] else day_limit end,
      week_limit = case when p_set[2] then p_limits[2] else week_limit end,
      month_limit = case when p_set[3] then p_limits[3] else month_limit end
    where id = p_key
    returning least(day_limit - day_used, week_limit - week_used, month_limit - month_used) - reserved into v_spare;
  end if;
  if v_spare <= 0 then
    perform ledger_recall(v_account.id, p_key, v_now);
  end if;
  return query select 'APPLIED', ledger_event(v_account.id, 'limit', p_key, 0, v_now);
end $$;

-- Revokes or restores a key, suspends or restores an account.
CREATE FUNCTION ledger_status(p_account bigint, p_key bigint, p_live boolean, p_now timestamptz)
RETURNS TABLE (outcome text, event usage_event) LANGUAGE plpgsql AS $$
#variable_conflict use_column
declare
  v_account account := ledger_hold(p_account, p_key, p_now);
  v_now timestamptz := ledger_now(p_now);
begin
  if v_account.id is null then
    return query select 'UNKNOWN', null::usage_event;
    return;
  end if;
  if p_key is null then
    update account set status = case when p_live then 0 else 1 end where id = v_account.id;
  else
    update api_key set active = p_live where id = p_key;
  end if;
  if not p_live then
    perform ledger_recall(v_account.id, p_key, v_now);
  end if;
  return query select 'APPLIED', ledger_event(v_account.id, 'limit', p_key, 0, v_now);
end $$;

-- Forgives what was used in the current window (DAY, WEEK or MONTH). Reservations stay.
CREATE FUNCTION ledger_reset(p_account bigint, p_key bigint, p_window text, p_now timestamptz)
RETURNS TABLE (outcome text, event usage_event) LANGUAGE plpgsql AS $$
#variable_conflict use_column
declare
  v_account account := ledger_hold(p_account, p_key, p_now);
  v_day boolean := p_window = 'DAY';
  v_week boolean := p_window = 'WEEK';
  v_month boolean := p_window = 'MONTH';
begin
  if v_account.id is null then
    return query select 'UNKNOWN', null::usage_event;
    return;
  end if;
  if p_key is null then
    update account set
      day_base = day_base + case when v_day then day_used else 0 end,
      day_used = case when v_day then 0 else day_used end,
      week_base = week_base + case when v_week then week_used else 0 end,
      week_used = case when v_week then 0 else week_used end,
      month_base = month_base + case when v_month then month_used else 0 end,
      month_used = case when v_month then 0 else month_used end
    where id = v_account.id;
  else
    update api_key set
      day_base = day_base + case when v_day then day_used else 0 end,
      day_used = case when v_day then 0 else day_used end,
      week_base = week_base + case when v_week then week_used else 0 end,
      week_used = case when v_week then 0 else week_used end,
      month_base = month_base + case when v_month then month_used else 0 end,
      month_used = case when v_month then 0 else month_used end
    where id = p_key;
  end if;
  return query select 'APPLIED', ledger_event(v_account.id, 'limit', p_key, 0, ledger_now(p_now));
end $$;

-- Moves everything of one account into another: keys, leases, open hours, daily roll-up and credit.
-- Entries and closed hours stay where they are and are found through merged_into, which is kept
-- flat. Raises 40001 when a key, or an account merged into `from`, appeared meanwhile: try again.
-- Outcomes: APPLIED, REPLAY (done before), MERGED (one of the two is, into `target`), UNKNOWN_ACCOUNT.
CREATE FUNCTION ledger_merge(p_from bigint, p_into bigint, p_now timestamptz)
RETURNS TABLE (outcome text, target bigint, event usage_event) LANGUAGE plpgsql AS $$
#variable_conflict use_column
declare
  v_keys bigint[];
  v_accounts bigint[];
  v_from account;
  v_into account;
  v_now timestamptz;
  v_transfer bigint;
  v_out usage_event;
begin
  perform ledger_assert_isolation();
  if p_from = p_into then
    raise exception 'an account cannot be merged into itself' using errcode = '22023';
  end if;
  v_keys := array(select id from api_key where account_id in (p_from, p_into) order by id for no key update);
  v_accounts := array(
    select id from account where id in (p_from, p_into) or merged_into = p_from order by id for no key update);
  if exists (select 1 from api_key where account_id in (p_from, p_into) and id <> all (v_keys))
    or exists (select 1 from account where merged_into = p_from and id <> all (v_accounts)) then
    raise exception 'the account changed while it was being merged' using errcode = '40001';
  end if;
  v_now := ledger_now(p_now);
  v_from := ledger_roll_account(p_from, v_now);
  v_into := ledger_roll_account(p_into, v_now);
  if v_from.id is null or v_into.id is null or v_from.status = 2 or v_into.status = 2 then
    return query select case
        when v_from.id is null or v_into.id is null then 'UNKNOWN_ACCOUNT'
        when v_from.merged_into = coalesce(v_into.merged_into, v_into.id) then 'REPLAY'
        else 'MERGED' end,
      coalesce(v_into.merged_into, v_from.merged_into), null::usage_event;
    return;
  end if;

  -- What moves as an entry is the sum of the entries; the open hours move as they are.
  select v_from.balance + coalesce(sum(h.amount), 0)::bigint into v_transfer
  from usage_hour h where h.account_id = p_from and not h.closed;
  perform ledger_append(p_from, 'merge:' || p_from || ':' || p_into, 'TRANSFER', 'TRANSFER', -v_transfer, 0, v_now,
      p_into::text, nextval('transaction_id')),
    ledger_append(p_into, 'merge:' || p_from || ':' || p_into, 'TRANSFER', 'TRANSFER', v_transfer,
      v_into.balance + v_from.balance, v_now, p_from::text, nextval('transaction_id'));
  update api_key set account_id = p_into where account_id = p_from;
  update lease set account_id = p_into where account_id = p_from;
  update usage_hour set account_id = p_into where account_id = p_from and not closed;
  update usage_day set account_id = p_into where account_id = p_from;
  update account set merged_into = p_into where merged_into = p_from;
  update account set status = 2, merged_into = p_into, balance = 0, reserved = 0, day_used = 0, day_base = 0,
    week_used = 0, week_base = 0, month_used = 0, month_base = 0
  where id = p_from;
  update account set balance = balance + v_from.balance, reserved = reserved + v_from.reserved,
    day_used = day_used + v_from.day_used, day_base = day_base + v_from.day_base,
    week_used = week_used + v_from.week_used, week_base = week_base + v_from.week_base,
    month_used = month_used + v_from.month_used, month_base = month_base + v_from.month_base
  where id = p_into;
  -- every lease lives under new terms now
  perform ledger_recall(p_into, null, v_now);
  v_out := ledger_event(p_from, 'merge', null, -v_from.balance, v_now);
  return query select 'APPLIED', p_into, v_out
    union all select 'APPLIED', p_into, ledger_event(p_into, 'merge', null, v_from.balance, v_now);
end $$;

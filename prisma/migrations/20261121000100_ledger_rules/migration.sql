-- Storage, constraints and triggers of the ledger, and the small functions the others share.

-- Rows that every settlement rewrites: room on the page keeps the updates heap-only (HOT), which
-- also needs that no column a settlement changes is indexed or in an index predicate.
ALTER TABLE "account" SET (fillfactor = 50);
ALTER TABLE "api_key" SET (fillfactor = 50);
ALTER TABLE "lease" SET (fillfactor = 50);
ALTER TABLE "usage_hour" SET (fillfactor = 50);
ALTER TABLE "usage_day" SET (fillfactor = 50);

-- Public transaction ids: entries and usage hours share it, so an id is never used twice.
CREATE SEQUENCE transaction_id AS bigint;

-- CreateIndex
CREATE UNIQUE INDEX "ledger_entry_tx_id_key" ON "ledger_entry"("tx_id");
-- CreateIndex
CREATE UNIQUE INDEX "usage_hour_tx_id_key" ON "usage_hour"("tx_id");
-- One id, one entry, whatever the account; only the two halves of a transfer share one.
CREATE UNIQUE INDEX ledger_entry_id_once ON ledger_entry (id) WHERE kind <> 'TRANSFER';
CREATE INDEX usage_hour_open ON usage_hour (hour) WHERE NOT closed;
CREATE INDEX account_merged ON account (merged_into) WHERE merged_into IS NOT NULL;
CREATE INDEX instance_live ON instance (seen_at) WHERE state = 0;

ALTER TABLE account
  ADD CONSTRAINT account_status CHECK (status IN (0, 1, 2)),
  ADD CONSTRAINT account_merged_into CHECK ((status = 2) = (merged_into IS NOT NULL)),
  ADD CONSTRAINT account_reserved CHECK (reserved >= 0),
  ADD CONSTRAINT account_limits CHECK (day_limit >= 0 AND week_limit >= 0 AND month_limit >= 0);
ALTER TABLE api_key
  ADD CONSTRAINT api_key_reserved CHECK (reserved >= 0),
  ADD CONSTRAINT api_key_limits CHECK (day_limit >= 0 AND week_limit >= 0 AND month_limit >= 0);
ALTER TABLE lease ADD CONSTRAINT lease_adds_up CHECK (reserved >= 0 AND spent >= 0 AND granted - spent = reserved);
ALTER TABLE ledger_entry
  ADD CONSTRAINT ledger_entry_kind CHECK (kind IN ('DEPOSIT', 'CONSUMPTION', 'ADJUSTMENT', 'REVERSAL', 'TRANSFER')),
  ADD CONSTRAINT ledger_entry_contra CHECK (contra IN ('CUSTODY', 'CARD', 'REVENUE', 'PROMO', 'ADJUST', 'TRANSFER')),
  -- the hash joins the fields with '|'; only the last one, ref, may hold it
  ADD CONSTRAINT ledger_entry_plain_id CHECK (id <> '' AND position('|' IN id) = 0);
ALTER TABLE usage_event ADD CONSTRAINT usage_event_kind CHECK (kind IN ('usage', 'entry', 'limit', 'merge'));

CREATE FUNCTION ledger_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
begin
  raise exception '% of % is not allowed: the ledger is append-only', tg_op, tg_table_name using errcode = '42501';
end $$;
CREATE TRIGGER ledger_entry_immutable BEFORE UPDATE OR DELETE ON ledger_entry
  FOR EACH ROW EXECUTE FUNCTION ledger_refuse();
CREATE TRIGGER ledger_entry_kept BEFORE TRUNCATE ON ledger_entry
  FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse();
-- An open hour only grows; of a closed one only the note of what was pruned may change.
CREATE TRIGGER usage_hour_grows BEFORE UPDATE ON usage_hour FOR EACH ROW
  WHEN (new.up < old.up OR new.down < old.down OR new.amount < old.amount OR old.closed AND
    (old.key_id, old.product, old.hour, old.tx_id, old.account_id, old.up, old.down, old.amount, old.closed)
      IS DISTINCT FROM
    (new.key_id, new.product, new.hour, new.tx_id, new.account_id, new.up, new.down, new.amount, new.closed))
  EXECUTE FUNCTION ledger_refuse();
CREATE TRIGGER usage_hour_kept BEFORE DELETE ON usage_hour FOR EACH ROW EXECUTE FUNCTION ledger_refuse();
CREATE TRIGGER usage_event_immutable BEFORE UPDATE ON usage_event FOR EACH ROW EXECUTE FUNCTION ledger_refuse();

-- Nano-credits per byte; src/units.ts holds the same numbers.
CREATE FUNCTION product_price(p_product integer) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
  select case p_product when 1 then 3::bigint when 2 then 8 when 3 then 10 end
$$;

-- The database clock, in the whole milliseconds that the columns hold (truncated: rounding could
-- lift 23:59:59.9996 into the next day). Tests hand in their own time.
CREATE FUNCTION ledger_now(p_now timestamptz) RETURNS timestamptz LANGUAGE sql VOLATILE AS $$
  select date_trunc('milliseconds', coalesce(p_now, clock_timestamp()))
$$;

-- Every function takes its locks first and reads afterwards: that needs a new snapshot per statement.
CREATE FUNCTION ledger_assert_isolation() RETURNS void LANGUAGE plpgsql AS $$
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    raise exception 'the ledger needs READ COMMITTED' using errcode = '25001';
  end if;
end $$;

CREATE FUNCTION ledger_hash(p_prev bytea, p_id text, p_account bigint, p_no bigint, p_kind text, p_contra text,
  p_amount bigint, p_at timestamptz, p_ref text) RETURNS bytea LANGUAGE sql IMMUTABLE AS $$
  select sha256(p_prev || convert_to(p_id || '|' || p_account || '|' || p_no || '|' || p_kind || '|' || p_contra
    || '|' || p_amount || '|' || (extract(epoch from p_at) * 1000)::bigint || '|' || coalesce(p_ref, ''), 'UTF8'))
$$;

-- Appends an entry to the chain of a locked account. The balance is the caller's affair: closing
-- an hour does not move it. Returns false when the id is taken.
CREATE FUNCTION ledger_append(p_account bigint, p_id text, p_kind text, p_contra text, p_amount bigint,
  p_balance bigint, p_at timestamptz, p_ref text, p_tx bigint) RETURNS boolean LANGUAGE plpgsql AS $$
declare
  v_no bigint;
  v_prev bytea;
  v_hash bytea;
begin
  select entry_no + 1, head into strict v_no, v_prev from account where id = p_account;
  v_hash := ledger_hash(v_prev, p_id, p_account, v_no, p_kind, p_contra, p_amount, p_at, p_ref);
  insert into ledger_entry (account_id, no, id, tx_id, kind, contra, amount, balance_after, at, ref, prev, hash)
  values (p_account, v_no, p_id, p_tx, p_kind, p_contra, p_amount, p_balance, p_at, p_ref, v_prev, v_hash)
  on conflict do nothing;
  if not found then
    return false;
  end if;
  update account set entry_no = v_no, head = v_hash where id = p_account;
  return true;
end $$;

-- Locks one account and moves its windows to the current ones.
CREATE FUNCTION ledger_roll_account(p_account bigint, p_now timestamptz) RETURNS account LANGUAGE plpgsql AS $$
declare
  v_day timestamptz := date_trunc('day', p_now, 'UTC');
  v_week timestamptz := date_trunc('week', p_now, 'UTC');
  v_month timestamptz := date_trunc('month', p_now, 'UTC');
  v_row account;
begin
  perform 1 from account where id = p_account for no key update;
  update account set
    day_used = case when day_start < v_day then 0 else day_used end,
    day_base = case when day_start < v_day then 0 else day_base end,
    day_start = greatest(day_start, v_day),
    week_used = case when week_start < v_week then 0 else week_used end,
    week_base = case when week_start < v_week then 0 else week_base end,
    week_start = greatest(week_start, v_week),
    month_used = case when month_start < v_month then 0 else month_used end,
    month_base = case when month_start < v_month then 0 else month_base end,
    month_start = greatest(month_start, v_month)
  where id = p_account returning * into v_row;
  return v_row;
end $$;

-- The same for one key. Lock order: keys before accounts.
CREATE FUNCTION ledger_roll_key(p_key bigint, p_now timestamptz) RETURNS api_key LANGUAGE plpgsql AS $$
declare
  v_day timestamptz := date_trunc('day', p_now, 'UTC');
  v_week timestamptz := date_trunc('week', p_now, 'UTC');
  v_month timestamptz := date_trunc('month', p_now, 'UTC');
  v_row api_key;
begin
  perform 1 from api_key where id = p_key for no key update;
  update api_key set
    day_used = case when day_start < v_day then 0 else day_used end,
    day_base = case when day_start < v_day then 0 else day_base end,
    day_start = greatest(day_start, v_day),
    week_used = case when week_start < v_week then 0 else week_used end,
    week_base = case when week_start < v_week then 0 else week_base end,
    week_start = greatest(week_start, v_week),
    month_used = case when month_start < v_month then 0 else month_used end,
    month_base = case when month_start < v_month then 0 else month_base end,
    month_start = greatest(month_start, v_month)
  where id = p_key returning * into v_row;
  return v_row;
end $$;

-- Appends one event, other than usage, to the stream of a locked account with current windows.
CREATE FUNCTION ledger_event(p_account bigint, p_kind text, p_key bigint, p_amount bigint, p_now timestamptz)
RETURNS usage_event LANGUAGE plpgsql AS $$
declare
  v_account account;
  v_key_left bigint;
  v_event usage_event;
begin
  update account set seq = seq + 1 where id = p_account returning * into strict v_account;
  select least(day_limit - day_used, week_limit - week_used, month_limit - month_used) into v_key_left
  from api_key where id = p_key;
  insert into usage_event (account_id, seq, at, kind, key_id, amount, balance, remaining, key_remaining)
  values (p_account, v_account.seq, p_now, p_kind, p_key, p_amount, v_account.balance,
    greatest(0, least(v_account.balance, v_account.day_limit - v_account.day_used,
      v_account.week_limit - v_account.week_used, v_account.month_limit - v_account.month_used)),
    case when v_key_left < 0 then 0 else v_key_left end)
  returning * into v_event;
  return v_event;
end $$;

-- Asks the live leases of an account, or of one key, to come back and hear their new terms. Also
-- those that hold nothing: idle connections must end too. Never "do update": a beat deletes these
-- rows without the account's lock, and waiting for it while holding others could deadlock.
CREATE FUNCTION ledger_recall(p_account bigint, p_key bigint, p_now timestamptz) RETURNS void LANGUAGE sql AS $$
  insert into recall (instance_id, key_id, at)
  select l.instance_id, l.key_id, p_now
  from lease l join instance i on i.id = l.instance_id and i.state = 0
  where l.account_id = p_account and (p_key is null or l.key_id = p_key)
  on conflict do nothing
$$;

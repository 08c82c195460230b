-- What the tables of accounts may hold, below what the operations check, and the price lists there are at first.

ALTER TABLE "users"
  ADD CONSTRAINT "users_email_lower" CHECK (email = lower(email)),
  ADD CONSTRAINT "users_wallet_shape" CHECK (wallet_address ~ '^0x[0-9a-f]{40}$');
-- Names are told apart without regard to case.
CREATE UNIQUE INDEX "users_username_lower" ON "users" (lower(username));

ALTER TABLE "registration"
  ADD CONSTRAINT "registration_email_lower" CHECK (email = lower(email));
CREATE INDEX "registration_username_pending" ON "registration" (lower(username)) WHERE user_id IS NULL;
ALTER TABLE "mail_token"
  ADD CONSTRAINT "mail_token_one_use" CHECK (num_nonnulls(user_id, registration_id) = 1);
CREATE INDEX "mail_queue_due" ON "mail_queue" (next_at, id) WHERE sent_at IS NULL;

UPDATE "api_key_secret" s SET prefix = k.prefix FROM "api_key_profile" k WHERE k.id = s.key_id AND s.expires_at IS NULL;

-- When a session was over, and when a replaced secret stopped working: they are deleted some time after.
CREATE INDEX "session_over" ON "session" (least(revoked_at, expires_at));
CREATE INDEX "api_key_secret_dead" ON "api_key_secret" (expires_at) WHERE expires_at IS NOT NULL;

ALTER TABLE "wallet_challenge"
  ADD CONSTRAINT "wallet_challenge_nonce_shape" CHECK (nonce ~ '^[0-9a-f]{32}$'),
  ADD CONSTRAINT "wallet_challenge_address_shape" CHECK (address ~ '^0x[0-9a-f]{40}$');

ALTER TABLE "price_tier"
  ADD CONSTRAINT "price_tier_positive" CHECK (min_credits > 0 AND rate > 0);

ALTER TABLE "settings"
  ADD CONSTRAINT "settings_amounts" CHECK (alert_threshold >= 0 AND auto_reload_threshold >= 0 AND auto_reload_amount > 0),
  ADD CONSTRAINT "settings_reload_consented" CHECK (NOT auto_reload_enabled OR save_card_consent);

-- Days for which what was done stays on record; the forgetting job (src/resolvers/audit) deletes after as many.
CREATE FUNCTION audit_kept() RETURNS interval LANGUAGE sql IMMUTABLE AS $$ select interval '400 days' $$;
CREATE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
begin
  if tg_op = 'DELETE' then
    if old.at < now() - audit_kept() then
      return old;
    end if;
  end if;
  raise exception '% of % is not allowed: what was done stays on record', tg_op, tg_table_name using errcode = '42501';
end $$;
CREATE TRIGGER audit_log_immutable BEFORE UPDATE OR DELETE ON "audit_log"
  FOR EACH ROW EXECUTE FUNCTION audit_refuse();
CREATE TRIGGER audit_log_kept BEFORE TRUNCATE ON "audit_log"
  FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse();

INSERT INTO "price_grid" (name) VALUES ('Standard'), ('Premium');
INSERT INTO "price_tier" (grid_id, min_credits, rate)
SELECT id, 100 * 1000000000::bigint, 900000000 FROM price_grid WHERE name = 'Premium'
UNION ALL SELECT id, 500 * 1000000000::bigint, 800000000 FROM price_grid WHERE name = 'Premium';

-- CreateEnum
CREATE TYPE "mail_kind" AS ENUM ('VERIFY_EMAIL', 'RESET_PASSWORD', 'PASSWORD_CHANGED', 'WALLET_LINKED', 'WALLET_UNLINKED');

-- CreateEnum
CREATE TYPE "challenge_purpose" AS ENUM ('SIGN_IN', 'LINK');

-- CreateEnum
CREATE TYPE "language" AS ENUM ('EN', 'FR');

-- DropIndex
DROP INDEX "session_refresh_hash_key";

-- AlterTable
ALTER TABLE "api_key_profile" ADD COLUMN     "allowed_ips" TEXT[] DEFAULT ARRAY[]::TEXT[],
ADD COLUMN     "expires_at" TIMESTAMPTZ(3),
ADD COLUMN     "products" TEXT[] DEFAULT ARRAY[]::TEXT[],
ADD COLUMN     "rules_no" INTEGER NOT NULL DEFAULT 1,
ADD COLUMN     "scopes" TEXT[] DEFAULT ARRAY['PROXY', 'READ', 'MANAGE']::TEXT[];

-- AlterTable
ALTER TABLE "api_key_secret" ADD COLUMN     "prefix" TEXT NOT NULL DEFAULT '';

-- AlterTable
ALTER TABLE "session" DROP COLUMN "refresh_hash",
ADD COLUMN     "address" TEXT NOT NULL DEFAULT '',
ADD COLUMN     "generation" INTEGER NOT NULL DEFAULT 0,
ADD COLUMN     "rotated_at" TIMESTAMPTZ(3);

-- AlterTable
ALTER TABLE "users" ADD COLUMN     "grid_id" BIGINT,
ADD COLUMN     "language" "language" NOT NULL DEFAULT 'EN',
ADD COLUMN     "suspended_at" TIMESTAMPTZ(3),
ADD COLUMN     "suspended_for" TEXT;

-- CreateTable
CREATE TABLE "registration" (
    "id" BIGSERIAL NOT NULL,
    "email" TEXT NOT NULL,
    "username" TEXT NOT NULL,
    "password_hash" TEXT NOT NULL,
    "language" "language" NOT NULL,
    "address" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,
    "user_id" BIGINT,

    CONSTRAINT "registration_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "mail_token" (
    "hash" BYTEA NOT NULL,
    "user_id" BIGINT,
    "registration_id" BIGINT,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "mail_token_pkey" PRIMARY KEY ("hash")
);

-- CreateTable
CREATE TABLE "mail_queue" (
    "id" BIGSERIAL NOT NULL,
    "kind" "mail_kind" NOT NULL,
    "recipient" TEXT NOT NULL,
    "registration_id" BIGINT,
    "address" TEXT NOT NULL,
    "attempts" INTEGER NOT NULL DEFAULT 0,
    "next_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "last_error" TEXT,
    "sent_at" TIMESTAMPTZ(3),

    CONSTRAINT "mail_queue_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "wallet_challenge" (
    "nonce" TEXT NOT NULL,
    "address" TEXT NOT NULL,
    "chain_id" BIGINT NOT NULL,
    "purpose" "challenge_purpose" NOT NULL,
    "message" TEXT NOT NULL,
    "client" TEXT NOT NULL,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,
    "used_at" TIMESTAMPTZ(3),

    CONSTRAINT "wallet_challenge_pkey" PRIMARY KEY ("nonce")
);

-- CreateTable
CREATE TABLE "price_grid" (
    "id" BIGSERIAL NOT NULL,
    "name" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "price_grid_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "price_tier" (
    "grid_id" BIGINT NOT NULL,
    "min_credits" BIGINT NOT NULL,
    "rate" BIGINT NOT NULL,

    CONSTRAINT "price_tier_pkey" PRIMARY KEY ("grid_id","min_credits")
);

-- CreateTable
CREATE TABLE "settings" (
    "user_id" BIGINT NOT NULL,
    "alert_low_balance" BOOLEAN NOT NULL DEFAULT true,
    "alert_threshold" BIGINT NOT NULL DEFAULT 50000000000,
    "auto_reload_enabled" BOOLEAN NOT NULL DEFAULT false,
    "auto_reload_threshold" BIGINT NOT NULL DEFAULT 10000000000,
    "auto_reload_amount" BIGINT NOT NULL DEFAULT 50000000000,
    "save_card_consent" BOOLEAN NOT NULL DEFAULT false,
    "webhook_url" TEXT,
    "webhook_events" TEXT[] DEFAULT ARRAY[]::TEXT[],
    "webhook_secret_no" INTEGER NOT NULL DEFAULT 1,
    "webhook_rotated_at" TIMESTAMPTZ(3),

    CONSTRAINT "settings_pkey" PRIMARY KEY ("user_id")
);

-- CreateTable
CREATE TABLE "audit_log" (
    "id" BIGSERIAL NOT NULL,
    "account_id" BIGINT NOT NULL,
    "at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "action" TEXT NOT NULL,
    "actor_id" BIGINT,
    "key_id" BIGINT,
    "session_id" UUID,
    "address" TEXT NOT NULL,
    "detail" JSONB NOT NULL DEFAULT '{}',

    CONSTRAINT "audit_log_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "refusal_day" (
    "key_id" BIGINT NOT NULL,
    "code" TEXT NOT NULL,
    "day" DATE NOT NULL,
    "count" BIGINT NOT NULL,
    "first_at" TIMESTAMPTZ(3) NOT NULL,
    "last_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "refusal_day_pkey" PRIMARY KEY ("key_id","day","code")
);

-- CreateIndex
CREATE INDEX "registration_email_id_idx" ON "registration"("email", "id");

-- CreateIndex
CREATE INDEX "registration_expires_at_idx" ON "registration"("expires_at");

-- CreateIndex
CREATE INDEX "mail_token_user_id_idx" ON "mail_token"("user_id");

-- CreateIndex
CREATE INDEX "mail_token_registration_id_idx" ON "mail_token"("registration_id");

-- CreateIndex
CREATE INDEX "mail_token_expires_at_idx" ON "mail_token"("expires_at");

-- CreateIndex
CREATE INDEX "mail_queue_recipient_kind_id_idx" ON "mail_queue"("recipient", "kind", "id");

-- CreateIndex
CREATE INDEX "mail_queue_sent_at_idx" ON "mail_queue"("sent_at");

-- CreateIndex
CREATE INDEX "wallet_challenge_address_client_expires_at_idx" ON "wallet_challenge"("address", "client", "expires_at");

-- CreateIndex
CREATE INDEX "wallet_challenge_address_expires_at_idx" ON "wallet_challenge"("address", "expires_at");

-- CreateIndex
CREATE INDEX "wallet_challenge_expires_at_idx" ON "wallet_challenge"("expires_at");

-- CreateIndex
CREATE UNIQUE INDEX "price_grid_name_key" ON "price_grid"("name");

-- CreateIndex
CREATE INDEX "audit_log_account_id_id_idx" ON "audit_log"("account_id", "id" DESC);

-- CreateIndex
CREATE INDEX "audit_log_at_idx" ON "audit_log"("at");

-- CreateIndex
CREATE INDEX "refusal_day_last_at_key_id_code_idx" ON "refusal_day"("last_at" DESC, "key_id", "code");

-- AddForeignKey
ALTER TABLE "users" ADD CONSTRAINT "users_grid_id_fkey" FOREIGN KEY ("grid_id") REFERENCES "price_grid"("id") ON DELETE SET NULL ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "registration" ADD CONSTRAINT "registration_user_id_fkey" FOREIGN KEY ("user_id") REFERENCES "users"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "mail_token" ADD CONSTRAINT "mail_token_user_id_fkey" FOREIGN KEY ("user_id") REFERENCES "users"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "mail_token" ADD CONSTRAINT "mail_token_registration_id_fkey" FOREIGN KEY ("registration_id") REFERENCES "registration"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "price_tier" ADD CONSTRAINT "price_tier_grid_id_fkey" FOREIGN KEY ("grid_id") REFERENCES "price_grid"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "settings" ADD CONSTRAINT "settings_user_id_fkey" FOREIGN KEY ("user_id") REFERENCES "users"("id") ON DELETE CASCADE ON UPDATE CASCADE;

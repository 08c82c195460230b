-- CreateEnum
CREATE TYPE "role" AS ENUM ('USER', 'ADMIN');

-- CreateEnum
CREATE TYPE "credential_kind" AS ENUM ('PASSWORD');

-- CreateEnum
CREATE TYPE "session_kind" AS ENUM ('GRAPHQL', 'LPF');

-- CreateTable
CREATE TABLE "users" (
    "id" BIGSERIAL NOT NULL,
    "username" TEXT,
    "email" TEXT,
    "email_verified" BOOLEAN NOT NULL DEFAULT false,
    "wallet_address" TEXT,
    "role" "role" NOT NULL DEFAULT 'USER',
    "permissions" TEXT[] DEFAULT ARRAY[]::TEXT[],
    "plan" TEXT NOT NULL DEFAULT 'FREE',
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "users_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "credential" (
    "user_id" BIGINT NOT NULL,
    "kind" "credential_kind" NOT NULL,
    "secret" TEXT NOT NULL,
    "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "credential_pkey" PRIMARY KEY ("user_id","kind")
);

-- CreateTable
CREATE TABLE "session" (
    "id" UUID NOT NULL DEFAULT gen_random_uuid(),
    "user_id" BIGINT NOT NULL,
    "kind" "session_kind" NOT NULL,
    "refresh_hash" BYTEA,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,
    "revoked_at" TIMESTAMPTZ(3),

    CONSTRAINT "session_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "api_key_profile" (
    "id" BIGSERIAL NOT NULL,
    "user_id" BIGINT NOT NULL,
    "uuid" UUID NOT NULL DEFAULT gen_random_uuid(),
    "name" TEXT NOT NULL,
    "prefix" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "last_used_at" TIMESTAMPTZ(3),
    "revoked_at" TIMESTAMPTZ(3),
    "refusal_code" TEXT,
    "refusal_message" TEXT,
    "refused_at" TIMESTAMPTZ(3),

    CONSTRAINT "api_key_profile_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "api_key_secret" (
    "lookup" BYTEA NOT NULL,
    "key_id" BIGINT NOT NULL,
    "ciphertext" BYTEA,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "expires_at" TIMESTAMPTZ(3),

    CONSTRAINT "api_key_secret_pkey" PRIMARY KEY ("lookup")
);

-- CreateTable
CREATE TABLE "account" (
    "id" BIGINT NOT NULL,
    "status" SMALLINT NOT NULL DEFAULT 0,
    "merged_into" BIGINT,
    "balance" BIGINT NOT NULL DEFAULT 0,
    "reserved" BIGINT NOT NULL DEFAULT 0,
    "seq" BIGINT NOT NULL DEFAULT 0,
    "pruned_seq" BIGINT NOT NULL DEFAULT 0,
    "entry_no" BIGINT NOT NULL DEFAULT 0,
    "head" BYTEA NOT NULL DEFAULT '\x',
    "day_limit" BIGINT,
    "day_start" TIMESTAMPTZ(3) NOT NULL DEFAULT '1970-01-01 00:00:00 +00:00',
    "day_used" BIGINT NOT NULL DEFAULT 0,
    "day_base" BIGINT NOT NULL DEFAULT 0,
    "week_limit" BIGINT,
    "week_start" TIMESTAMPTZ(3) NOT NULL DEFAULT '1970-01-01 00:00:00 +00:00',
    "week_used" BIGINT NOT NULL DEFAULT 0,
    "week_base" BIGINT NOT NULL DEFAULT 0,
    "month_limit" BIGINT,
    "month_start" TIMESTAMPTZ(3) NOT NULL DEFAULT '1970-01-01 00:00:00 +00:00',
    "month_used" BIGINT NOT NULL DEFAULT 0,
    "month_base" BIGINT NOT NULL DEFAULT 0,

    CONSTRAINT "account_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "api_key" (
    "id" BIGINT NOT NULL,
    "account_id" BIGINT NOT NULL,
    "active" BOOLEAN NOT NULL DEFAULT true,
    "reserved" BIGINT NOT NULL DEFAULT 0,
    "day_limit" BIGINT,
    "day_start" TIMESTAMPTZ(3) NOT NULL DEFAULT '1970-01-01 00:00:00 +00:00',
    "day_used" BIGINT NOT NULL DEFAULT 0,
    "day_base" BIGINT NOT NULL DEFAULT 0,
    "week_limit" BIGINT,
    "week_start" TIMESTAMPTZ(3) NOT NULL DEFAULT '1970-01-01 00:00:00 +00:00',
    "week_used" BIGINT NOT NULL DEFAULT 0,
    "week_base" BIGINT NOT NULL DEFAULT 0,
    "month_limit" BIGINT,
    "month_start" TIMESTAMPTZ(3) NOT NULL DEFAULT '1970-01-01 00:00:00 +00:00',
    "month_used" BIGINT NOT NULL DEFAULT 0,
    "month_base" BIGINT NOT NULL DEFAULT 0,

    CONSTRAINT "api_key_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "instance" (
    "id" UUID NOT NULL,
    "state" SMALLINT NOT NULL DEFAULT 0,
    "started_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "seen_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "instance_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "lease" (
    "instance_id" UUID NOT NULL,
    "key_id" BIGINT NOT NULL,
    "account_id" BIGINT NOT NULL,
    "seq" BIGINT NOT NULL DEFAULT 0,
    "reserved" BIGINT NOT NULL DEFAULT 0,
    "granted" BIGINT NOT NULL DEFAULT 0,
    "spent" BIGINT NOT NULL DEFAULT 0,
    "settled_at" TIMESTAMPTZ(3) NOT NULL,
    "lost" BIGINT NOT NULL DEFAULT 0,

    CONSTRAINT "lease_pkey" PRIMARY KEY ("instance_id","key_id")
);

-- CreateTable
CREATE TABLE "recall" (
    "instance_id" UUID NOT NULL,
    "key_id" BIGINT NOT NULL,
    "at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "recall_pkey" PRIMARY KEY ("instance_id","key_id")
);

-- CreateTable
CREATE TABLE "ledger_entry" (
    "account_id" BIGINT NOT NULL,
    "no" BIGINT NOT NULL,
    "id" TEXT NOT NULL,
    "tx_id" BIGINT NOT NULL,
    "kind" TEXT NOT NULL,
    "contra" TEXT NOT NULL,
    "amount" BIGINT NOT NULL,
    "balance_after" BIGINT NOT NULL,
    "at" TIMESTAMPTZ(3) NOT NULL,
    "ref" TEXT,
    "prev" BYTEA NOT NULL,
    "hash" BYTEA NOT NULL,

    CONSTRAINT "ledger_entry_pkey" PRIMARY KEY ("account_id","no")
);

-- CreateTable
CREATE TABLE "usage_hour" (
    "key_id" BIGINT NOT NULL,
    "product" SMALLINT NOT NULL,
    "hour" TIMESTAMPTZ(3) NOT NULL,
    "tx_id" BIGINT NOT NULL,
    "account_id" BIGINT NOT NULL,
    "up" BIGINT NOT NULL DEFAULT 0,
    "down" BIGINT NOT NULL DEFAULT 0,
    "amount" BIGINT NOT NULL DEFAULT 0,
    "archived" BIGINT NOT NULL DEFAULT 0,
    "closed" BOOLEAN NOT NULL DEFAULT false,

    CONSTRAINT "usage_hour_pkey" PRIMARY KEY ("key_id","product","hour")
);

-- CreateTable
CREATE TABLE "usage_event" (
    "account_id" BIGINT NOT NULL,
    "seq" BIGINT NOT NULL,
    "at" TIMESTAMPTZ(3) NOT NULL,
    "kind" TEXT NOT NULL,
    "key_id" BIGINT,
    "product" SMALLINT,
    "hour" TIMESTAMPTZ(3),
    "up" BIGINT NOT NULL DEFAULT 0,
    "down" BIGINT NOT NULL DEFAULT 0,
    "amount" BIGINT NOT NULL DEFAULT 0,
    "balance" BIGINT NOT NULL,
    "remaining" BIGINT NOT NULL,
    "key_remaining" BIGINT,

    CONSTRAINT "usage_event_pkey" PRIMARY KEY ("account_id","seq")
);

-- CreateTable
CREATE TABLE "usage_day" (
    "key_id" BIGINT NOT NULL,
    "day" DATE NOT NULL,
    "product" SMALLINT NOT NULL,
    "account_id" BIGINT NOT NULL,
    "up" BIGINT NOT NULL DEFAULT 0,
    "down" BIGINT NOT NULL DEFAULT 0,
    "amount" BIGINT NOT NULL DEFAULT 0,

    CONSTRAINT "usage_day_pkey" PRIMARY KEY ("key_id","day","product")
);

-- CreateIndex
CREATE UNIQUE INDEX "users_email_key" ON "users"("email");

-- CreateIndex
CREATE UNIQUE INDEX "users_wallet_address_key" ON "users"("wallet_address");

-- CreateIndex
CREATE UNIQUE INDEX "session_refresh_hash_key" ON "session"("refresh_hash");

-- CreateIndex
CREATE INDEX "session_user_id_idx" ON "session"("user_id");

-- CreateIndex
CREATE UNIQUE INDEX "api_key_profile_uuid_key" ON "api_key_profile"("uuid");

-- CreateIndex
CREATE INDEX "api_key_profile_user_id_id_idx" ON "api_key_profile"("user_id", "id");

-- CreateIndex
CREATE INDEX "api_key_secret_key_id_idx" ON "api_key_secret"("key_id");

-- CreateIndex
CREATE INDEX "api_key_account_id_id_idx" ON "api_key"("account_id", "id");

-- CreateIndex
CREATE INDEX "lease_key_id_idx" ON "lease"("key_id");

-- CreateIndex
CREATE INDEX "lease_account_id_idx" ON "lease"("account_id");

-- CreateIndex
CREATE INDEX "ledger_entry_account_id_at_tx_id_idx" ON "ledger_entry"("account_id", "at" DESC, "tx_id" DESC);

-- CreateIndex
CREATE UNIQUE INDEX "ledger_entry_id_account_id_key" ON "ledger_entry"("id", "account_id");

-- CreateIndex
CREATE INDEX "usage_hour_account_id_hour_tx_id_idx" ON "usage_hour"("account_id", "hour" DESC, "tx_id" DESC);

-- CreateIndex
CREATE INDEX "usage_day_account_id_day_product_idx" ON "usage_day"("account_id", "day", "product");

-- AddForeignKey
ALTER TABLE "credential" ADD CONSTRAINT "credential_user_id_fkey" FOREIGN KEY ("user_id") REFERENCES "users"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "session" ADD CONSTRAINT "session_user_id_fkey" FOREIGN KEY ("user_id") REFERENCES "users"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "api_key_profile" ADD CONSTRAINT "api_key_profile_user_id_fkey" FOREIGN KEY ("user_id") REFERENCES "users"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "api_key_secret" ADD CONSTRAINT "api_key_secret_key_id_fkey" FOREIGN KEY ("key_id") REFERENCES "api_key_profile"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "account" ADD CONSTRAINT "account_id_fkey" FOREIGN KEY ("id") REFERENCES "users"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "api_key" ADD CONSTRAINT "api_key_id_fkey" FOREIGN KEY ("id") REFERENCES "api_key_profile"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- CreateTable
CREATE TABLE "proxy_exit" (
    "id" BIGSERIAL NOT NULL,
    "product" SMALLINT NOT NULL,
    "label" TEXT NOT NULL,
    "spec" BYTEA,
    "drained" BOOLEAN NOT NULL DEFAULT false,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "proxy_exit_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "exit_account" (
    "exit_id" BIGINT NOT NULL,
    "account_id" BIGINT NOT NULL,

    CONSTRAINT "exit_account_pkey" PRIMARY KEY ("exit_id","account_id")
);

-- CreateTable
CREATE TABLE "exit_version" (
    "id" SMALLINT NOT NULL DEFAULT 1,
    "version" BIGINT NOT NULL DEFAULT 0,

    CONSTRAINT "exit_version_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "exit_usage" (
    "key_id" BIGINT NOT NULL,
    "day" DATE NOT NULL,
    "product" SMALLINT NOT NULL,
    "exit" TEXT NOT NULL,
    "up" BIGINT NOT NULL DEFAULT 0,
    "down" BIGINT NOT NULL DEFAULT 0,
    "connections" BIGINT NOT NULL DEFAULT 0,

    CONSTRAINT "exit_usage_pkey" PRIMARY KEY ("key_id","day","product","exit")
);

-- CreateIndex
CREATE UNIQUE INDEX "proxy_exit_product_label_key" ON "proxy_exit"("product", "label");

-- CreateIndex
CREATE INDEX "exit_account_account_id_idx" ON "exit_account"("account_id");

-- CreateIndex
CREATE INDEX "exit_usage_day_idx" ON "exit_usage"("day");

-- AddForeignKey
ALTER TABLE "exit_account" ADD CONSTRAINT "exit_account_exit_id_fkey" FOREIGN KEY ("exit_id") REFERENCES "proxy_exit"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "exit_account" ADD CONSTRAINT "exit_account_account_id_fkey" FOREIGN KEY ("account_id") REFERENCES "account"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- The one row.
INSERT INTO "exit_version" DEFAULT VALUES;
ALTER TABLE "exit_version" ADD CONSTRAINT "exit_version_one_row" CHECK ("id" = 1);
-- Rewritten in place, again and again.
ALTER TABLE "exit_usage" SET (fillfactor = 70);

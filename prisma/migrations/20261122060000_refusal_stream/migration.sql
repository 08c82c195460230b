-- Of the last refusal that was counted: what a live stream tells of it. NULL where it is not known.
ALTER TABLE "refusal_day" ADD COLUMN     "address" TEXT,
ADD COLUMN     "message" TEXT,
ADD COLUMN     "product" SMALLINT;

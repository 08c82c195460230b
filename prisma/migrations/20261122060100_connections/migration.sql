-- Live connections: whether a key shows where its connections go, and what instances ask each other about them.

ALTER TABLE "api_key_profile" ADD COLUMN "show_targets" BOOLEAN NOT NULL DEFAULT false;

-- Questions and answers are worth nothing after a crash: they are kept out of the write-ahead log.
CREATE UNLOGGED TABLE "connection_question" (
    "id" UUID NOT NULL,
    "asker_id" UUID NOT NULL,
    "addressee_id" UUID,
    "question" TEXT NOT NULL,
    "round" INTEGER NOT NULL DEFAULT 1,
    "until" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "connection_question_pkey" PRIMARY KEY ("id")
);

CREATE INDEX "connection_question_until_idx" ON "connection_question"("until");

CREATE UNLOGGED TABLE "connection_answer" (
    "question_id" UUID NOT NULL,
    "instance_id" UUID NOT NULL,
    "round" INTEGER NOT NULL,
    "answer" TEXT NOT NULL,

    CONSTRAINT "connection_answer_pkey" PRIMARY KEY ("question_id","instance_id")
);

ALTER TABLE "connection_answer" ADD CONSTRAINT "connection_answer_question_id_fkey" FOREIGN KEY ("question_id") REFERENCES "connection_question"("id") ON DELETE CASCADE ON UPDATE CASCADE;

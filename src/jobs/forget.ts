import type { SqlDatabase } from '../database/sql.ts';
import { pruneRefusals } from '../resolvers/admin/refusals.ts';
import { deleteDeadSecrets } from '../resolvers/apiKeys/deleteDeadSecrets.ts';
import { deleteOldRecords } from '../resolvers/audit/deleteOldRecords.ts';
import { deleteOverSessions } from '../resolvers/auth/deleteOverSessions.ts';
import { deleteSentMails } from '../resolvers/auth/mailQueue.ts';
import { deleteExpiredTokens } from '../resolvers/auth/mailTokens.ts';
import { deleteRegistrations } from '../resolvers/auth/registrations.ts';
import { deleteOverQuestions } from '../resolvers/connections/questions.ts';
import { pruneExitUsage } from '../resolvers/exits/usageByExit.ts';
import { deleteChallenges } from '../resolvers/wallets/challenges.ts';
import type { Job } from './job.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
/** Rows of one statement, so that none holds its locks for long. */
const BATCH = 1_000;

type Forget = (db: SqlDatabase, limit: number) => Promise<number>;

function forgetting(name: string, pauseMs: number, forget: Forget): Job {
  return {
    name,
    pauseMs,
    async run({ db }) {
      while ((await forget(db, BATCH)) === BATCH);
    },
  };
}

/** Deletes what nobody can use or ask for any more. */
export const FORGETTING_JOBS: readonly Job[] = [
  forgetting('forgetChallenges', MINUTE_MS, deleteChallenges),
  forgetting('forgetQuestions', MINUTE_MS, deleteOverQuestions),
  forgetting('forgetMails', MINUTE_MS, deleteSentMails),
  forgetting('forgetMailTokens', MINUTE_MS, deleteExpiredTokens),
  forgetting('forgetRefusals', HOUR_MS, pruneRefusals),
  forgetting('forgetSessions', HOUR_MS, deleteOverSessions),
  forgetting('forgetSecrets', HOUR_MS, deleteDeadSecrets),
  forgetting('forgetRegistrations', HOUR_MS, deleteRegistrations),
  forgetting('forgetRecords', HOUR_MS, deleteOldRecords),
  forgetting('forgetExitUsage', HOUR_MS, pruneExitUsage),
];

import { deleteChallenges } from '../resolvers/wallets/challenges.ts';
import type { Job } from './job.ts';

const PAUSE_MS = 60_000;
/** Rows per statement. */
const BATCH = 1_000;

/** Forgets messages for wallets that can no longer be signed. */
const forgetChallenges: Job = {
  name: 'forgetChallenges',
  pauseMs: PAUSE_MS,
  async run({ db }) {
    while ((await deleteChallenges(db, BATCH)) === BATCH);
  },
};

export const CHALLENGE_JOBS: readonly Job[] = [forgetChallenges];

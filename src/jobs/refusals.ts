import { PRUNE_BATCH, pruneRefusals } from '../resolvers/admin/refusals.ts';
import type { Job } from './job.ts';

const HOUR_MS = 3_600_000;

/** Forgets what was refused more than 90 days ago. */
const forgetRefusals: Job = {
  name: 'pruneRefusals',
  pauseMs: HOUR_MS,
  async run({ db }) {
    while ((await pruneRefusals(db, new Date())) === PRUNE_BATCH);
  },
};

export const REFUSAL_JOBS: readonly Job[] = [forgetRefusals];

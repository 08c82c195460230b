import { check } from '../resolvers/ledger/check.ts';
import { close, CLOSE_BATCH, expire, forgetInstances, prune, PRUNE_BATCH } from '../resolvers/ledger/upkeep.ts';
import type { Job } from './job.ts';

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;

/** Gives back the credit that dead instances held. */
const expireInstances: Job = {
  name: 'expireInstances',
  pauseMs: SECOND_MS,
  async run({ db, log, mayJudgeOthers }) {
    if (!mayJudgeOthers()) return;
    for (const { instanceId, leases, lost } of await expire(db)) {
      log.warn({ instanceId, leases: Number(leases), lost: String(lost) }, 'an instance is dead; its leases returned');
    }
  },
};

/** Turns hours that are over into ledger entries. */
const closeHours: Job = {
  name: 'closeHours',
  pauseMs: 15 * SECOND_MS,
  async run({ db }) {
    while ((await close(db)) === CLOSE_BATCH);
  },
};

/** Forgets events that are too old to resume from, and instances that are long dead. */
const pruneEvents: Job = {
  name: 'pruneEvents',
  pauseMs: MINUTE_MS,
  async run({ db }) {
    while ((await prune(db)) === PRUNE_BATCH);
    await forgetInstances(db);
  },
};

/** Verifies the ledger's invariants for the gauge `passerelle_ledger_drift`. */
const checkLedger: Job = {
  name: 'checkLedger',
  pauseMs: 5 * MINUTE_MS,
  atStart: true,
  async run({ db, log, onLedgerCheck }) {
    const { drift, violations } = await check(db);
    onLedgerCheck(drift, violations);
    if (violations.length > 0) log.fatal({ violations }, 'the ledger violates its invariants');
  },
};

export const LEDGER_JOBS: readonly Job[] = [expireInstances, closeHours, pruneEvents, checkLedger];

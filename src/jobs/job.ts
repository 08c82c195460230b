import type { SqlDatabase } from '../database/sql.ts';
import type { Logger } from '../log.ts';

/** What periodic work may use. */
export interface JobContext {
  readonly db: SqlDatabase;
  readonly log: Logger;
  /** Whether this instance's own heartbeat has run long enough without a gap to judge others by theirs. */
  readonly mayJudgeOthers: () => boolean;
  /** Hears of every look at the ledger. @param drift nano-credits */
  readonly onLedgerCheck: (drift: bigint, violations: readonly string[]) => void;
}

/** Work that every instance repeats. Running it on several at once does no harm. */
export interface Job {
  readonly name: string;
  /** Pause between the end of one run and the start of the next, milliseconds. */
  readonly pauseMs: number;
  /** Whether the first run comes at once. */
  readonly atStart?: boolean;
  readonly run: (context: JobContext) => Promise<void>;
}

/** Share of the pause that is random, so that instances do not work in step. */
const JITTER = 0.2;

/**
 * Repeats each job until stopped. A run that fails is logged and tried again after the pause.
 * @returns a function that stops; it resolves once no job runs any more
 */
export function startJobs(jobs: readonly Job[], context: JobContext): () => Promise<void> {
  const stops = jobs.map((job) => repeat(job, context));
  return async () => {
    await Promise.all(stops.map((stop) => stop()));
  };
}

function repeat(job: Job, context: JobContext): () => Promise<void> {
  let timer: NodeJS.Timeout;
  let running: Promise<void> = Promise.resolve();
  let stopped = false;
  const run = async (): Promise<void> => {
    try {
      await job.run(context);
    } catch (error) {
      context.log.error({ err: error, job: job.name }, 'a job failed; it will run again');
    }
    if (!stopped) schedule();
  };
  const schedule = (): void => {
    const pauseMs = job.pauseMs * (1 + JITTER * Math.random());
    timer = setTimeout(() => {
      running = run();
    }, pauseMs);
  };
  if (job.atStart === true) running = run();
  else schedule();
  return async () => {
    stopped = true;
    clearTimeout(timer);
    await running;
  };
}

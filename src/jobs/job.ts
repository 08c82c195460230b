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
export interface Job<Context = JobContext> {
  readonly name: string;
  /** Pause between the end of one run and the start of the next, milliseconds. */
  readonly pauseMs: number;
  /** Whether the first run comes at once. */
  readonly atStart?: boolean;
  /** @param stopping fires when the server stops, which waits for the run */
  readonly run: (context: Context, stopping: AbortSignal) => Promise<void>;
}

/** Jobs that repeat until they are stopped. */
export interface RunningJobs {
  /** Lets the job of this name run now instead of after its pause; one that runs already runs once more. */
  wake(name: string): void;
  /** Resolves once no job runs any more. */
  stop(): Promise<void>;
}

/** Share of the pause that is random, so that instances do not work in step. */
const JITTER = 0.2;
/** Who wakes a job is answering a request: the reply leaves first, so that its time does not tell what the job does. */
const WAKE_MS = 20;

/** Repeats each job until stopped. A run that fails is logged and tried again after the pause. */
export function startJobs<Context extends Pick<JobContext, 'log'>>(
  jobs: readonly Job<Context>[],
  context: Context,
): RunningJobs {
  const running = new Map(jobs.map((job) => [job.name, repeat(job, context)]));
  return {
    wake: (name) => running.get(name)?.wake(),
    stop: async () => {
      await Promise.all([...running.values()].map(({ stop }) => stop()));
    },
  };
}

interface RunningJob {
  wake(): void;
  stop(): Promise<void>;
}

function repeat<Context extends Pick<JobContext, 'log'>>(job: Job<Context>, context: Context): RunningJob {
  const stopping = new AbortController();
  const { signal } = stopping;
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> | undefined;
  let woken = false;
  const run = async (): Promise<void> => {
    woken = false;
    try {
      await job.run(context, signal);
    } catch (error) {
      context.log.error({ err: error, job: job.name }, 'a job failed; it will run again');
    }
    running = undefined;
    schedule(woken ? WAKE_MS : job.pauseMs * (1 + JITTER * Math.random()));
  };
  const schedule = (pauseMs: number): void => {
    clearTimeout(timer);
    if (signal.aborted) return;
    timer = setTimeout(() => {
      running = run();
    }, pauseMs);
  };
  if (job.atStart === true) running = run();
  else schedule(job.pauseMs * (1 + JITTER * Math.random()));
  return {
    wake() {
      if (woken) return;
      woken = true;
      if (running === undefined) schedule(WAKE_MS);
    },
    async stop() {
      stopping.abort();
      clearTimeout(timer);
      await running;
    },
  };
}

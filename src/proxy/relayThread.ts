import { writeSync } from 'node:fs';
import { Worker } from 'node:worker_threads';

import { FIGURE, type Order, type Report, type WorkerStart } from './relay/fast/messages.ts';

/** What goes into an eventfd to wake whoever waits for it. */
const RING = Buffer.from(BigUint64Array.of(1n).buffer);

/** Compiles sources on the way: a development dependency. */
const TSX = 'tsx/esm/api';

/** A worker makes few objects that live short: more room for them would be memory that nobody uses. */
const YOUNG_GENERATION_MB = 4;

/** Milliseconds between two looks whether the worker goes on, and how many it may fail: it begins a turn twice a second. */
const LOOK_MS = 1_000;
const MOST_SILENT_LOOKS = 8;

/** What a relay worker tells. */
export interface ThreadListeners {
  readonly reported: (report: Report) => void;
  /** The thread has ended; everything it had reported was told before. @param error why, unless it was told to */
  readonly ended: (error: Error | undefined) => void;
}

/** A relay worker as the main thread sees it: orders go in, reports come out, both in batches. */
export class RelayThread {
  /** Resolves when it works; rejects when it could not be started. */
  readonly ready: Promise<void>;
  readonly #worker: Worker;
  readonly #figures: Int32Array;
  readonly #bell: number;
  #orders: Order[] = [];
  #ended = false;
  #error: Error | undefined;
  #watch: NodeJS.Timeout | undefined;

  /** @param source the worker's code, when it is not the usual one */
  constructor(start: WorkerStart, listeners: ThreadListeners, source?: URL) {
    this.#figures = start.shared.figures;
    this.#bell = start.bell;
    this.#worker = spawn(start, source);
    this.#worker.on('error', (thrown: Error) => (this.#error = thrown));
    this.ready = new Promise((resolve, reject) => {
      this.#worker.on('message', (reports: readonly Report[]) => {
        // The first batch is empty: it only says that the worker is there.
        this.#watch ??= this.#watchTurns();
        resolve();
        for (const report of reports) listeners.reported(report);
      });
      this.#worker.on('exit', (code) => {
        this.#ended = true;
        clearInterval(this.#watch);
        if (code !== 0) this.#error ??= new Error(`a relay worker ended with code ${code}`);
        reject(this.#error ?? new Error('a relay worker ended early'));
        listeners.ended(this.#error);
      });
    });
    // Whoever waits for it hears of it; nobody has to.
    this.ready.catch(() => undefined);
  }

  /** Sends an order with the others of this turn of the event loop. */
  order(order: Order): void {
    if (this.#ended) return;
    if (this.#orders.length === 0) setImmediate(() => this.flush());
    this.#orders.push(order);
  }

  /** Ends the thread at once, as if it had crashed. */
  terminate(reason: string): void {
    this.#error ??= new Error(reason);
    void this.#worker.terminate();
  }

  /** Sends the orders at once: what the client sends next is judged by them. */
  flush(): void {
    const orders = this.#orders;
    this.#orders = [];
    if (this.#ended || orders.length === 0) return;
    this.#worker.postMessage(orders);
    Atomics.add(this.#figures, FIGURE.POSTED, 1);
    if (Atomics.exchange(this.#figures, FIGURE.ASLEEP, 0) === 1) writeSync(this.#bell, RING);
  }

  /** Looks are counted, not milliseconds: while the whole process was stopped, nobody hung. */
  #watchTurns(): NodeJS.Timeout {
    let seen = -1;
    let silent = 0;
    return setInterval(() => {
      const turns = Atomics.load(this.#figures, FIGURE.TURNS);
      silent = turns === seen ? silent + 1 : 0;
      seen = turns;
      if (silent >= MOST_SILENT_LOOKS) this.terminate('a relay worker hung');
    }, LOOK_MS).unref();
  }
}

/** The worker's code: compiled it lies beside this file, else it is a source that tsx compiles (tests, `npm run dev`). */
function spawn(workerData: WorkerStart, source = new URL('./relay/fast/worker.ts', import.meta.url)): Worker {
  const resourceLimits = { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB };
  const options = { workerData, execArgv: [], name: 'relay', resourceLimits };
  const compiled = import.meta.url.endsWith('.js') ? new URL(source.href.replace(/\.ts$/, '.js')) : source;
  if (compiled.href.endsWith('.js')) return new Worker(compiled, options);
  const [loader, file] = [TSX, source.href].map((specifier) => JSON.stringify(specifier));
  const code = `import(${loader}).then(({ register }) => (register(), import(${file})));`;
  return new Worker(code, { ...options, eval: true });
}

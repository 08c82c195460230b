import { writeSync } from 'node:fs';
import { Worker } from 'node:worker_threads';

import { FIGURE, type Order, type Report, type WorkerReady, type WorkerStart } from './relay/fast/messages.ts';

/** What goes into an eventfd to wake whoever waits for it. */
const RING = Buffer.from(BigUint64Array.of(1n).buffer);

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
  #orders: Order[] = [];
  #bell = -1;
  #ended = false;

  /** @param source the worker's code, when it is not the usual one */
  constructor(start: WorkerStart, listeners: ThreadListeners, source?: URL) {
    this.#figures = start.shared.figures;
    this.#worker = spawn(start, source);
    let error: Error | undefined;
    this.#worker.on('error', (thrown: Error) => (error = thrown));
    this.ready = new Promise((resolve, reject) => {
      this.#worker.on('message', (message: WorkerReady | readonly Report[]) => {
        if (!('bell' in message)) return message.forEach(listeners.reported);
        this.#bell = message.bell;
        resolve();
      });
      this.#worker.on('exit', (code) => {
        this.#ended = true;
        if (code !== 0) error ??= new Error(`a relay worker ended with code ${code}`);
        reject(error ?? new Error('a relay worker ended early'));
        listeners.ended(error);
      });
    });
    // Whoever waits for it hears of it; nobody has to.
    this.ready.catch(() => undefined);
  }

  /** Sends an order with the others of this turn of the event loop. */
  order(order: Order): void {
    if (this.#ended) return;
    if (this.#orders.length === 0) setImmediate(() => this.#flush());
    this.#orders.push(order);
  }

  /** Ends the thread at once. */
  terminate(): void {
    void this.#worker.terminate();
  }

  #flush(): void {
    const orders = this.#orders;
    this.#orders = [];
    if (this.#ended) return;
    this.#worker.postMessage(orders);
    Atomics.add(this.#figures, FIGURE.POSTED, 1);
    if (Atomics.exchange(this.#figures, FIGURE.ASLEEP, 0) === 1 && this.#bell >= 0) writeSync(this.#bell, RING);
  }
}

/** Compiled, the worker lies beside this file. From sources, as in tests and `npm run dev`, tsx compiles it. */
function spawn(workerData: WorkerStart, source = new URL('./relay/fast/worker.ts', import.meta.url)): Worker {
  const options = { workerData, execArgv: [], name: 'relay' };
  if (import.meta.url.endsWith('.js')) return new Worker(new URL(source.href.replace(/\.ts$/, '.js')), options);
  const code = `import('tsx/esm/api').then(({ register }) => (register(), import(${JSON.stringify(source.href)})));`;
  return new Worker(code, { ...options, eval: true });
}

import { encodeAddress } from '../../../src/proxy/relay/fast/address.ts';
import { EINPROGRESS, K, must } from '../../../src/proxy/relay/fast/syscalls.ts';
import { calls, drop, Events, IN, OUT, read, send } from './events.ts';

/** What a client asks for once it is connected, as those of HTTP do: who only listens waits for delayed acknowledgements. */
const REQUEST = Buffer.from('GET / HTTP/1.1\r\nHost: source\r\n\r\n');
const SMALL_BYTES = 1_024;
/** What a client reads at once: between the 16 KiB of curl, the 64 KiB of Node, and those who care for speed. */
const READ_BYTES = 1 << 18;
/** Milliseconds until a client that hears nothing gives up. */
const PATIENCE_MS = 10_000;

/** What a load process is told: through which proxy (none: straight to the source), for how long. */
export interface Load {
  readonly kind: 'throughput' | 'connects';
  readonly port: number;
  readonly sourcePort: number;
  /** `password` and `none` are SOCKS methods; `direct` uses no proxy. */
  readonly method: 'password' | 'none' | 'direct';
  /** User name, with the method `password`. */
  readonly key: string;
  readonly connections: number;
  readonly durationMs: number;
  /** The clients read what comes, as clients do; otherwise the kernel drops it, which costs nearly nothing. */
  readonly reads: boolean;
}

/** Bytes, or connections. */
export interface LoadResult {
  /** Within `seconds`. */
  readonly measured: number;
  /** And what came before the clock ran. */
  readonly total: number;
  readonly seconds: number;
}

const ONE = Int32Array.of(1);

/** Messages of the client, and how long each answer is; the last one is behind them. */
type Steps = readonly { readonly send: Buffer; readonly answer: number }[];

function stepsOf({ method, key, sourcePort }: Load): Steps {
  if (method === 'direct') return [];
  const user = Buffer.from(key);
  const greeting = { send: Buffer.of(5, 1, method === 'none' ? 0 : 2), answer: 2 };
  const login = { send: Buffer.concat([Buffer.of(1, user.length), user, Buffer.of(1, 0x78)]), answer: 2 };
  const request = { send: Buffer.of(5, 1, 0, 1, 127, 0, 0, 1, sourcePort >> 8, sourcePort & 0xff), answer: 10 };
  return method === 'none' ? [greeting, request] : [greeting, login, request];
}

/** One connection, message by message as clients do. */
class Client {
  readonly fd: number;
  #step = 0;
  #missing = 0;
  #begun = false;
  readonly #steps: Steps;
  readonly #opened: (fd: number) => void;
  readonly #payload: (fd: number) => void;
  readonly #answer = Buffer.alloc(16);

  constructor(
    load: Load,
    steps: Steps,
    events: Events,
    heard: { opened: (fd: number) => void; payload: (fd: number) => void },
  ) {
    this.#steps = steps;
    this.#opened = heard.opened;
    this.#payload = heard.payload;
    this.fd = must(calls, 'socket', calls.socket(K.AF_INET, K.SOCK_STREAM | K.NONBLOCK | K.CLOEXEC, 0));
    const { bytes } = encodeAddress('127.0.0.1', load.method === 'direct' ? load.sourcePort : load.port);
    // A server whose queue is full lets one client wait, not all of them.
    const connected = calls.connect(this.fd, bytes, bytes.length);
    if (connected < 0 && calls.errno() !== EINPROGRESS) must(calls, 'connect', connected);
    calls.setsockopt(this.fd, K.IPPROTO_TCP, K.TCP_NODELAY, ONE, ONE.byteLength);
    events.watch(this.fd, OUT, () => {
      if (this.#step > 0) return this.#readable();
      events.change(this.fd, IN);
      this.#next();
    });
  }

  #next(): void {
    const step = this.#steps[this.#step];
    this.#step++;
    if (step === undefined) {
      this.#begun = true;
      return this.#opened(this.fd);
    }
    this.#missing = step.answer;
    send(this.fd, step.send);
  }

  #readable(): void {
    if (this.#begun) return this.#payload(this.fd);
    const count = read(this.fd, this.#answer.subarray(0, this.#missing));
    // The second byte of the last answer is the reply; whatever is wrong before is closed instead.
    const refused = this.#step === this.#steps.length && this.#missing === 10 && this.#answer[1] !== 0;
    if (count <= 0 || refused) throw new Error('a connection was refused');
    this.#missing -= count;
    if (this.#missing === 0) this.#next();
  }
}

export function measure(load: Load): LoadResult {
  return load.kind === 'throughput' ? measureThroughput(load) : measureConnects(load);
}

function measureThroughput(load: Load): LoadResult {
  const events = new Events();
  const steps = stepsOf(load);
  let bytes = 0;
  let opened = 0;
  const buffer = Buffer.allocUnsafeSlow(READ_BYTES);
  const payload = (fd: number): void => {
    const count = load.reads ? read(fd, buffer) : drop(fd);
    if (count === 0) throw new Error('a download ended while it was measured');
    bytes += Math.max(0, count);
  };
  for (let index = 0; index < load.connections; index++) {
    void new Client(load, steps, events, { opened: () => void opened++, payload });
  }
  const deadline = performance.now() + PATIENCE_MS;
  while (opened < load.connections) {
    if (performance.now() > deadline) throw new Error(`${opened} of ${load.connections} are open`);
    events.turn(100);
  }
  const before = bytes;
  const start = performance.now();
  while (performance.now() - start < load.durationMs) events.turn(10);
  const seconds = (performance.now() - start) / 1_000;
  return { measured: bytes - before, total: bytes, seconds };
}

function measureConnects(load: Load): LoadResult {
  const events = new Events();
  const steps = stepsOf(load);
  const buffer = Buffer.alloc(SMALL_BYTES);
  let count = 0;
  let heardAt = performance.now();
  const open = (): void => {
    let received = 0;
    const payload = (fd: number): void => {
      const bytes = read(fd, buffer);
      if (bytes === 0 && received < SMALL_BYTES) throw new Error('a connection ended early');
      received += Math.max(0, bytes);
      if (received < SMALL_BYTES) return;
      events.close(fd);
      count++;
      heardAt = performance.now();
      if (heardAt - start < load.durationMs) open();
    };
    void new Client(load, steps, events, { opened: (fd) => void send(fd, REQUEST), payload });
  };
  const start = performance.now();
  for (let index = 0; index < load.connections; index++) open();
  while (performance.now() - start < load.durationMs) {
    events.turn(10);
    if (performance.now() - heardAt > PATIENCE_MS) throw new Error('nothing is answered any more');
  }
  return { measured: count, total: count, seconds: (performance.now() - start) / 1_000 };
}

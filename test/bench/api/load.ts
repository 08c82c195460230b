import { connect, type Socket } from 'node:net';

import { cpuMicros } from './processCpu.ts';

/** The client of the API bench, in a process of its own: keep-alive connections that always wait for one answer. */
export interface LoadTask {
  readonly port: number;
  /** The server's. */
  readonly pid: number;
  readonly connections: number;
  readonly durationMs: number;
  /** Whole HTTP requests, sent in turn. */
  readonly requests: readonly string[];
}

export interface LoadResult {
  readonly requests: number;
  readonly seconds: number;
  /** CPU of the server process in microseconds. */
  readonly cpu: number;
}

const HEAD_END = '\r\n\r\n';
const LENGTH = /^content-length: (\d+)\r?$/im;
const CLOSE = /^connection: close\r?$/im;

/** One connection; opened again when the server has had enough of it. */
class Client {
  readonly #port: number;
  #socket: Socket | undefined;
  #received: Buffer = Buffer.alloc(0);
  #settle: { resolve: () => void; reject: (error: Error) => void } | undefined;

  constructor(port: number) {
    this.#port = port;
  }

  async open(): Promise<void> {
    const socket = connect({ port: this.#port, host: '127.0.0.1', noDelay: true });
    this.#socket = socket;
    await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject));
    socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    socket.on('close', () => this.#settle?.reject(new Error('the server closed the connection')));
  }

  /** Resolves with the answer. @throws Error when it is not a success */
  async send(request: Buffer): Promise<void> {
    if (this.#socket === undefined) await this.open();
    await new Promise<void>((resolve, reject) => {
      this.#settle = { resolve, reject };
      this.#socket?.write(request);
    });
  }

  close(): void {
    this.#settle = undefined;
    this.#socket?.destroy();
    this.#socket = undefined;
  }

  #receive(chunk: Buffer): void {
    this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
    const headEnd = this.#received.indexOf(HEAD_END);
    if (headEnd < 0) return;
    const head = this.#received.toString('latin1', 0, headEnd);
    const bodyAt = headEnd + HEAD_END.length;
    if (this.#received.length < bodyAt + Number(LENGTH.exec(head)?.[1])) return;
    const answer = this.#received;
    this.#received = Buffer.alloc(0);
    const { resolve, reject } = this.#settle ?? {};
    if (CLOSE.test(head)) this.close();
    if (head.startsWith('HTTP/1.1 200') && LENGTH.test(head) && !answer.includes('"errors"')) resolve?.();
    else reject?.(new Error(`not an answer: ${answer.toString('utf8', 0, 500)}`));
  }
}

async function measure({ port, pid, connections, durationMs, requests }: LoadTask): Promise<LoadResult> {
  const buffers = requests.map((text) => Buffer.from(text));
  const clients = Array.from({ length: connections }, () => new Client(port));
  await Promise.all(clients.map((client) => client.open()));
  let sent = 0;
  const [started, cpuBefore] = [performance.now(), cpuMicros(pid)];
  const drive = async (client: Client): Promise<void> => {
    while (performance.now() - started < durationMs) await client.send(buffers[sent++ % buffers.length]!);
  };
  await Promise.all(clients.map(drive));
  const [cpu, seconds] = [cpuMicros(pid) - cpuBefore, (performance.now() - started) / 1_000];
  for (const client of clients) client.close();
  return { requests: sent, seconds, cpu };
}

process.on('disconnect', () => process.exit());
process.on('message', (task: LoadTask) => {
  measure(task).then(
    (result) => process.send?.(result),
    (error: unknown) => {
      console.error(error);
      process.exit(1);
    },
  );
});

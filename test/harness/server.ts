import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

const root = path.join(import.meta.dirname, '../..');

/** Far above what a start takes, for machines where everything runs at once. */
const READY_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 20_000;
/** Logs kept per start, newest; enough to explain a failure. */
const MAX_LOG_CHARACTERS = 4_000_000;

/** Thirty-two bytes: instances that share a database must share this. */
export const TEST_MASTER_KEY = Buffer.alloc(32, 7).toString('base64');

/** The first account of every server that `startServer` starts on an empty database. */
export const ADMIN = {
  email: 'admin@localhost',
  password: 'correct horse battery staple',
  apiKey: `lpf_${'0123456789abcdef'.repeat(2)}`,
} as const;

/** What a server process printed when it was ready. */
export interface Ready {
  /** `http://127.0.0.1:4000` */
  readonly http: string;
  /** `127.0.0.1:1080` */
  readonly socksShared: string;
  readonly socksDedicated: string;
  readonly browser: string | null;
}

/** How a server process ended. */
export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface ServerOptions {
  /** Kept when the server is disposed. Default: a new folder, removed with the server. */
  readonly dataDir?: string;
  /** Added to the environment; undefined removes a variable. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/** A GraphQL answer. */
export interface GraphQLAnswer<Data> {
  readonly status: number;
  readonly data: Data | null | undefined;
  readonly errors: readonly { message: string; extensions?: { code?: string } }[] | undefined;
}

/** An HTTP answer; `body` is parsed when it is JSON, else text. */
export interface RestAnswer<Body> {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Body;
}

/**
 * Starts the compiled server as its own process, on free ports of 127.0.0.1, with an embedded
 * database unless `env` has `DATABASE_URL`; it may reach 127.0.0.0/8 and ::1 through the proxy.
 * @throws with the server's logs when it ends before it is ready
 */
export async function startServer(options: ServerOptions = {}): Promise<TestServer> {
  await build();
  const dataDir = options.dataDir ?? (await mkdtemp(path.join(tmpdir(), 'passerelle-data-')));
  const server = new TestServer(dataDir, options.dataDir === undefined, environment(dataDir, options.env));
  try {
    await server.start();
    return server;
  } catch (error) {
    await server[Symbol.asyncDispose]();
    throw error;
  }
}

let built: Promise<unknown> | undefined;

/** Compiles the server when its sources changed; once per test process. */
export async function build(): Promise<void> {
  built ??= promisify(execFile)(process.execPath, [path.join(root, 'scripts/build.mjs')]);
  await built;
}

/** The environment of a test server: nothing of the tests' own services leaks into it. */
function environment(dataDir: string, env: ServerOptions['env']): NodeJS.ProcessEnv {
  return {
    PATH: process.env['PATH'],
    HOST: '127.0.0.1',
    PORT: '0',
    SOCKS_SHARED_PORT: '0',
    SOCKS_DEDICATED_PORT: '0',
    BROWSER_PORT: '0',
    DATA_DIR: dataDir,
    MASTER_KEY: TEST_MASTER_KEY,
    ADMIN_EMAIL: ADMIN.email,
    ADMIN_PASSWORD: ADMIN.password,
    ADMIN_API_KEY: ADMIN.apiKey,
    WELCOME_CREDITS: '10',
    EGRESS_ALLOW: '127.0.0.0/8,::1/128',
    RELAY: process.env['TEST_RELAY'],
    ...env,
  };
}

/** A server process under test. Dispose it, or it is killed when the test process ends. */
export class TestServer implements AsyncDisposable {
  readonly dataDir: string;
  readonly #ownsDataDir: boolean;
  readonly #env: NodeJS.ProcessEnv;
  #child: ChildProcess | undefined;
  #ready: Ready | undefined;
  #exit: Promise<Exit> = Promise.resolve({ code: null, signal: null });
  /** Standard output of the last start up to the ready line: the block of the first account, or nothing. */
  welcome = '';
  /** Standard error of the last start: structured logs, one JSON object per line. */
  logs = '';

  constructor(dataDir: string, ownsDataDir: boolean, env: NodeJS.ProcessEnv) {
    this.dataDir = dataDir;
    this.#ownsDataDir = ownsDataDir;
    this.#env = env;
  }

  /** Starts the process, on the same data folder as before. @throws when it ends before it is ready */
  async start(env: ServerOptions['env'] = {}): Promise<void> {
    const child = spawn(process.execPath, [path.join(root, 'dist/src/main.js')], {
      cwd: this.dataDir,
      env: { ...this.#env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child = child;
    this.#ready = undefined;
    this.logs = '';
    const endWithUs = (): void => void child.kill('SIGKILL');
    process.once('exit', endWithUs);
    this.#exit = new Promise((resolve, reject) => {
      child.once('error', reject).once('close', (code, signal) => {
        process.off('exit', endWithUs);
        resolve({ code, signal });
      });
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.logs = (this.logs + text).slice(-MAX_LOG_CHARACTERS);
    });
    this.#ready = await this.#untilReady(child);
  }

  /** Addresses of the running process. */
  get ready(): Ready {
    if (this.#ready === undefined) throw new Error('the server is not running');
    return this.#ready;
  }

  get pid(): number {
    if (this.#child?.pid === undefined) throw new Error('the server is not running');
    return this.#child.pid;
  }

  /** SIGTERM, as a supervisor does. @returns how it ended; draining settles everything and exits 0 */
  stop(): Promise<Exit> {
    return this.#end('SIGTERM');
  }

  /** SIGKILL: nothing is settled. */
  kill(): Promise<Exit> {
    return this.#end('SIGKILL');
  }

  /** Resolves when the process has ended, by whatever cause. */
  exited(): Promise<Exit> {
    return this.#exit;
  }

  /** Stops (`kill`: kills) and starts again on the same data; ports may change. */
  async restart({ kill = false }: { kill?: boolean } = {}): Promise<void> {
    await (kill ? this.kill() : this.stop());
    await this.start();
  }

  /** One GraphQL request by POST. @param credential an API key or session token; null: anonymous */
  async graphql<Data = Record<string, unknown>>(
    query: string,
    variables: Record<string, unknown> = {},
    credential: string | null = ADMIN.apiKey,
  ): Promise<GraphQLAnswer<Data>> {
    const { status, body } = await this.rest<Omit<GraphQLAnswer<Data>, 'status'>>('POST', '/graphql', {
      credential,
      body: { query, variables },
    });
    return { status, data: body.data, errors: body.errors };
  }

  /** One HTTP request. @param request.body sent as JSON */
  async rest<Body = unknown>(
    method: string,
    route: string,
    request: { credential?: string | null; body?: unknown; headers?: Record<string, string> } = {},
  ): Promise<RestAnswer<Body>> {
    const { credential = ADMIN.apiKey } = request;
    const response = await fetch(this.ready.http + route, {
      method,
      headers: {
        ...(credential === null ? {} : { authorization: `Bearer ${credential}` }),
        ...(request.body === undefined ? {} : { 'content-type': 'application/json' }),
        ...request.headers,
      },
      ...(request.body === undefined ? {} : { body: JSON.stringify(request.body) }),
    });
    const text = await response.text();
    const isJson = /\bjson\b/.test(response.headers.get('content-type') ?? '');
    return { status: response.status, headers: response.headers, body: (isJson ? JSON.parse(text) : text) as Body };
  }

  /** `socks5h://KEY:x@127.0.0.1:1080`, for clients. */
  proxyUrl(port: 'shared' | 'dedicated' = 'shared', key: string = ADMIN.apiKey): string {
    return `socks5h://${key}:x@${port === 'shared' ? this.ready.socksShared : this.ready.socksDedicated}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    if (this.#ownsDataDir) await rm(this.dataDir, { recursive: true, force: true });
  }

  async #end(signal: NodeJS.Signals): Promise<Exit> {
    const child = this.#child;
    if (child === undefined) return this.#exit;
    child.kill(signal);
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
    const exit = await this.#exit;
    clearTimeout(timer);
    this.#ready = undefined;
    return exit;
  }

  /** Reads standard output up to the ready line. */
  async #untilReady(child: ChildProcess): Promise<Ready> {
    const timer = setTimeout(() => child.kill('SIGKILL'), READY_TIMEOUT_MS);
    try {
      return await new Promise<Ready>((resolve, reject) => {
        let output = '';
        child.stdout?.setEncoding('utf8').on('data', (text: string) => {
          output += text;
          const line = /^\{"event":"ready".*\}$/m.exec(output);
          if (line === null) return;
          this.welcome = output.slice(0, line.index);
          resolve(JSON.parse(line[0]) as Ready);
        });
        void this.#exit.then(({ code, signal }) =>
          reject(new Error(`the server ended (${code ?? signal}) before it was ready:\n${output}${this.logs}`)),
        );
      });
    } finally {
      clearTimeout(timer);
    }
  }
}

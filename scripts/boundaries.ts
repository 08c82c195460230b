// Who may import whom, checked by `npm run check` and test/tidy.test.ts. Tests and scripts are exempt.
//   tsx scripts/boundaries.ts    exit 1 when a file breaks the table
import { importsOf, sourceFiles, type Import } from './imports.ts';

/** A part of the server. Files belong to the module with the longest path that fits. */
interface Module {
  /** A file, or a folder that ends in a slash. */
  readonly path: string;
  /** Modules it may import; `*`: all. */
  readonly may: readonly string[];
  /** Modules it may import types from, which vanish at run time. */
  readonly types?: readonly string[];
  /** Packages it may import. `node:*`: every module of Node; `@scope/*`: every package of a scope. */
  readonly packages: readonly string[];
}

const GRAPHQL = ['graphql', '@graphql-typed-document-node/core'];
const leaf = (path: string, packages: string[] = [], may: string[] = []): Module => ({ path, may, packages });

const MODULES: Readonly<Record<string, Module>> = {
  main: { path: 'src/main.ts', may: ['*'], packages: ['*'] },
  app: { path: 'src/app.ts', may: ['*'], packages: ['*'] },
  // Parts of app.ts: they put other modules together.
  openEvents: { path: 'src/openEvents.ts', may: ['*'], packages: ['*'] },
  startApi: { path: 'src/startApi.ts', may: ['*'], packages: ['*'] },
  startMail: { path: 'src/startMail.ts', may: ['*'], packages: ['*'] },
  openServices: { path: 'src/openServices.ts', may: ['*'], packages: ['*'] },
  dataPlane: { path: 'src/dataPlane.ts', may: ['*'], packages: ['*'] },
  gauges: { path: 'src/gauges.ts', may: ['*'], packages: ['*'] },
  teardown: leaf('src/teardown.ts'),
  'rest-compat': { path: 'rest-compat/', may: ['errors'], types: ['graphql'], packages: GRAPHQL },
  http: {
    path: 'src/http/',
    may: ['graphql', 'addresses', 'clientAddress', 'errors'],
    types: ['rest-compat', 'context', 'log'],
    packages: ['node:*', 'graphql', 'graphql-yoga', '@graphql-yoga/render-graphiql', 'prom-client'],
  },
  live: {
    path: 'src/live/',
    may: [
      'graphql',
      'resolvers',
      'ledger',
      'database',
      'clientAddress',
      'context',
      'errors',
      'events',
      'keyRules',
      'log',
      'openConnection',
    ],
    packages: ['node:*', 'graphql', 'graphql-ws', 'ws', 'ioredis'],
  },
  graphql: {
    path: 'src/graphql/',
    may: ['schema', 'context', 'errors', 'log'],
    packages: ['node:crypto', ...GRAPHQL, 'graphql-jit', 'lru-cache', '@pothos/*'],
  },
  schema: {
    path: 'src/schema/',
    may: ['resolvers', 'context', 'errors', 'events', 'units', 'generated', 'keyRules', 'openConnection', 'viewer'],
    packages: ['graphql', '@pothos/*', 'zod'],
  },
  // Of viem the pure functions: chains are asked through the context alone.
  resolvers: {
    path: 'src/resolvers/',
    may: [
      ...['ledger', 'database', 'generated', 'context', 'errors', 'events', 'units', 'crypto', 'addresses', 'keyRules'],
      'throttle',
      'viewer',
      'openConnection',
      'exitConfig',
    ],
    types: ['session', 'proxy'],
    packages: ['node:crypto', 'node:timers', 'argon2', 'jose', 'dataloader', 'lru-cache', 'siwe', 'viem'],
  },
  ledger: { path: 'src/resolvers/ledger/', may: ['database', 'errors', 'events', 'units'], packages: [] },
  jobs: {
    path: 'src/jobs/',
    may: ['resolvers', 'ledger', 'database', 'mail', 'errors', 'events', 'log', 'units'],
    packages: [],
  },
  proxy: {
    path: 'src/proxy/',
    may: [
      'fastRelay',
      'proxyLimits',
      'negotiation',
      'socks5',
      'username',
      'upstreams',
      'dialFailure',
      'answers',
      'httpAnswers',
      'httpConnect',
      'session',
      'openConnection',
      'exitConfig',
      'egress',
      'addresses',
      'errors',
      'keyRules',
      'log',
      'units',
    ],
    packages: ['node:*'],
  },
  // Runs in threads of its own; the main thread takes its messages, its listeners and what a crash leaves behind.
  fastRelay: {
    path: 'src/proxy/relay/fast/',
    may: [
      'proxyLimits',
      'negotiation',
      'answers',
      'socks5',
      'username',
      'upstreams',
      'dialFailure',
      'addresses',
      'clock',
    ],
    types: ['proxy', 'session', 'errors'],
    packages: ['node:*', 'koffi'],
  },
  negotiation: leaf('src/proxy/negotiation.ts', [], ['answers', 'httpAnswers', 'httpConnect', 'socks5']),
  httpConnect: leaf('src/proxy/httpConnect.ts', ['node:net'], ['socks5']),
  answers: { path: 'src/proxy/answers.ts', may: ['socks5', 'errors'], types: ['proxy'], packages: [] },
  httpAnswers: leaf('src/proxy/httpAnswers.ts', ['node:http'], ['answers', 'httpConnect', 'errors']),
  upstreams: {
    path: 'src/proxy/exits/attempt.ts',
    may: ['upstreamConnect', 'upstreamSocks'],
    types: ['proxy', 'exitConfig'],
    packages: [],
  },
  dialFailure: { path: 'src/proxy/relay/dialFailure.ts', may: [], types: ['proxy'], packages: ['node:net'] },
  upstreamConnect: { path: 'src/proxy/exits/connectClient.ts', may: [], types: ['proxy'], packages: ['node:net'] },
  upstreamSocks: {
    path: 'src/proxy/exits/socksClient.ts',
    may: ['addresses', 'socks5'],
    types: ['proxy'],
    packages: [],
  },
  proxyLimits: leaf('src/proxy/limits.ts'),
  username: leaf('src/proxy/username.ts'),
  socks5: leaf('src/proxy/socks5.ts', ['node:net'], ['addresses']),
  exitConfig: leaf('src/proxy/exits/config.ts', ['node:net'], ['addresses']),
  clock: leaf('src/metering/clock.ts'),
  metering: {
    path: 'src/metering/',
    may: ['clock', 'session', 'ledger', 'database', 'errors', 'events', 'log', 'units'],
    packages: [],
  },
  session: leaf('src/metering/session.ts', [], ['errors', 'units']),
  context: {
    path: 'src/context.ts',
    may: [],
    types: ['database', 'events', 'crypto', 'keyRules', 'log', 'openConnection', 'proxy', 'throttle'],
    packages: [],
  },
  viewer: { path: 'src/viewer.ts', may: [], types: ['context', 'keyRules'], packages: [] },
  database: {
    path: 'src/database/',
    may: ['generated'],
    packages: ['node:*', 'pg', '@prisma/adapter-pg', '@electric-sql/pglite', 'pglite-prisma-adapter'],
  },
  generated: leaf('prisma/generated/'),
  chain: { path: 'src/chain/', may: ['errors'], types: ['context'], packages: ['viem'] },
  mail: { path: 'src/mail/', may: ['crypto', 'errors'], types: ['log'], packages: ['node:*', 'nodemailer'] },
  webhooks: { path: 'src/webhooks/', may: [], types: ['egress'], packages: [] },
  egress: leaf('src/egress.ts', ['ipaddr.js', 'node:os'], ['addresses', 'lookups', 'names']),
  lookups: { path: 'src/lookups.ts', may: [], types: ['names'], packages: [] },
  addresses: leaf('src/addresses.ts', ['ipaddr.js', 'node:net']),
  clientAddress: leaf('src/clientAddress.ts', ['node:http'], ['addresses']),
  names: leaf('src/names.ts', ['node:dns', 'node:fs']),
  throttle: leaf('src/throttle.ts', ['ioredis', 'rate-limiter-flexible'], ['addresses', 'crypto']),
  secrets: leaf('src/secrets.ts', ['node:*'], ['config']),
  welcome: leaf('src/welcome.ts'),
  config: leaf('src/config.ts', ['zod', 'ipaddr.js', 'node:path'], ['addresses', 'exitConfig', 'units']),
  openConnection: leaf('src/openConnection.ts', [], ['units']),
  events: { path: 'src/events.ts', may: ['keyRules', 'units'], types: ['errors'], packages: [] },
  keyRules: leaf('src/keyRules.ts', [], ['addresses', 'errors', 'units']),
  crypto: leaf('src/crypto.ts', ['node:crypto']),
  log: leaf('src/log.ts', ['pino']),
  errors: leaf('src/errors.ts'),
  units: leaf('src/units.ts'),
};

/** Files and imports that break the table, one sentence each. */
export function violations(): string[] {
  const found = sourceFiles().flatMap((file) => importsOf(file).flatMap(judge));
  return [...new Set([...found, ...cycles()])];
}

function judge(found: Import): string[] {
  const from = moduleOf(found.from);
  if (from === undefined) return [`${found.from} is in no module: give it a row in scripts/boundaries.ts`];
  const allowed = MODULES[from];
  if (allowed === undefined) return [];
  if (found.isPackage) {
    return allowed.packages.some((pattern) => fits(found.to, pattern)) ? [] : [`${found.from} imports ${found.to}`];
  }
  const to = moduleOf(found.to);
  if (to === undefined) return [`${found.from} imports ${found.to}, which is in no module`];
  if (to === from || allowed.may.includes(to) || allowed.may.includes('*')) return [];
  if (allowed.types?.includes(to) === true) {
    return found.typeOnly ? [] : [`${found.from} imports more than types from ${found.to}`];
  }
  return [`${found.from} (${from}) may not import ${found.to} (${to})`];
}

function moduleOf(file: string): string | undefined {
  let best: string | undefined;
  for (const [name, { path }] of Object.entries(MODULES)) {
    const belongs = path.endsWith('/') ? file.startsWith(path) : file === path;
    if (belongs && path.length > (best === undefined ? 0 : (MODULES[best]?.path.length ?? 0))) best = name;
  }
  return best;
}

/** `node:dns` also stands for `node:dns/promises`. */
function fits(name: string, pattern: string): boolean {
  if (pattern.endsWith('*')) return name.startsWith(pattern.slice(0, -1));
  return name === pattern || name.startsWith(`${pattern}/`);
}

/** The table itself must have no cycle, or it would allow one between files of different modules. */
function cycles(): string[] {
  const open = new Set<string>();
  const done = new Set<string>();
  const visit = (name: string): string[] => {
    if (open.has(name)) return [`the table has a cycle through ${name}`];
    if (done.has(name)) return [];
    open.add(name);
    const found = (MODULES[name]?.may ?? []).filter((next) => next !== '*').flatMap(visit);
    open.delete(name);
    done.add(name);
    return found;
  };
  return Object.keys(MODULES).flatMap(visit);
}

if (process.argv[1] === import.meta.filename) {
  const found = violations();
  for (const line of found) console.error(line);
  console.error(`import boundaries: ${found.length === 0 ? 'kept' : `${found.length} broken`}`);
  process.exitCode = found.length === 0 ? 0 : 1;
}

import { Writable } from 'node:stream';

import { createWallets } from '../../src/chain/wallets.ts';
import type { Services, Viewer } from '../../src/context.ts';
import { deriveKeys } from '../../src/crypto.ts';
import { AppError } from '../../src/errors.ts';
import { localEvents } from '../../src/events.ts';
import { createExecutor, type Executor, type ExecutorOptions } from '../../src/graphql/executor.ts';
import { createLogger } from '../../src/log.ts';
import { createThrottle } from '../../src/throttle.ts';
import { NO_EXITS } from '../harness/exits.ts';
import { fixtureSchema } from './fixtureSchema.ts';

/** The one good credential of the fixture, and one that was tried too often. */
export const GOOD_TOKEN = 'lpf_good';
export const THROTTLED_TOKEN = 'lpf_throttled';

const VIEWER: Viewer = {
  kind: 'KEY',
  userId: 7n,
  role: 'USER',
  permissions: [],
  scopes: ['PROXY', 'READ', 'MANAGE'],
  keyId: 1n,
  sessionId: null,
};

export interface Fixture {
  readonly executor: Executor;
  /** Lines logged so far. */
  readonly logged: string[];
}

/** An executor over the fixture's schema, which touches no database. */
export function createFixture(options: Partial<ExecutorOptions> = {}): Fixture {
  const logged: string[] = [];
  const sink = new Writable({
    write(chunk: Buffer, _encoding, done) {
      logged.push(chunk.toString());
      done();
    },
  });
  const authenticate = async (token: string): Promise<Viewer> => {
    if (token === THROTTLED_TOKEN) throw new AppError('THROTTLED', { retryAfterSeconds: 9 });
    if (token !== GOOD_TOKEN) throw new AppError('UNAUTHENTICATED');
    return VIEWER;
  };
  const executor = createExecutor({ schema: fixtureSchema, services: services(sink), authenticate, ...options });
  return { executor, logged };
}

function services(sink: Writable): Services {
  const unused = (): never => {
    throw new Error('The fixture schema uses no database and no live feed');
  };
  const real = {
    events: localEvents(unused),
    keys: deriveKeys(Buffer.alloc(32)),
    log: createLogger('info', sink),
    throttle: createThrottle(10),
    now: () => new Date(),
    publicUrl: () => 'http://localhost',
    sessions: { accessSeconds: 900, refreshSeconds: 1, lpfSeconds: 1 },
    closeConnections: () => 0,
    wallets: createWallets({}),
    wakeMail: () => {},
    webhookTarget: () => undefined,
    exits: NO_EXITS,
  };
  const absent = { get: unused };
  return {
    ...real,
    db: new Proxy({}, absent) as Services['db'],
    live: new Proxy({}, absent) as Services['live'],
    connections: new Proxy({}, absent) as Services['connections'],
  };
}

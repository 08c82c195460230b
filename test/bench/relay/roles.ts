import { startProxy } from '../../harness/socks.ts';
import type { Load } from './client.ts';

/** The processes of the benches of the data plane: each role runs in its own, so that none pays for another. */

/** Our proxy alone, with the exact in-memory meter of the tests and no database. */
async function bare(choice: 'fast' | 'portable'): Promise<object> {
  const { port } = await startProxy({ limits: { maxConnectionsPerKey: 10_000 }, relay: { choice } });
  return { port };
}

// Loaded by the process that needs them: they make system calls.
const ROLES = {
  source: async () => (await import('./source.ts')).startSource(),
  fast: () => bare('fast'),
  portable: () => bare('portable'),
  npm: async () => (await import('./npmServer.ts')).startNpmServer(),
  load: async () => (await import('./client.ts')).measure(JSON.parse(process.argv[3] ?? '') as Load),
};

export type Role = keyof typeof ROLES;

/** Runs a role in this process and tells the parent what it found or where it listens. */
async function play(role: Role): Promise<void> {
  process.send?.(await ROLES[role]());
}

// Whoever started this process has gone: nobody is left to measure for.
process.on('disconnect', () => process.exit());
await play(process.argv[2] as Role);

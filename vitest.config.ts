import { createRequire } from 'node:module';

import { defineConfig } from 'vitest/config';

const require = createRequire(import.meta.url);

/** Of the fast relay alone. */
const FAST = 'test/proxy/fast/**';
/** Of the portable relay alone, or of parts that no relay takes part in. */
const NOT_FAST = [
  ...['keepAlive', 'socks5', 'keyWatches', 'httpConnect', 'dialFailure', 'udp/datagram'],
  ...['exits/config', 'exits/health', 'exits/handshakes', 'exits/negotiate'],
].map((name) => `test/proxy/${name}.test.ts`);

/**
 * Of whole servers, which take the fast relay where they can, those about bytes, clients and numbers of connections: once
 * more on the other one. What else the relays have a part in, `test/proxy` shows on both.
 */
const WHOLE = ['cutOff', 'clients', 'malformed', 'connections', 'integrity', 'udp'].map(
  (name) => `test/e2e/${name}.test.ts`,
);

export default defineConfig({
  resolve: {
    // One copy of graphql, or it refuses schemas "from another module or realm".
    alias: [{ find: /^graphql$/, replacement: require.resolve('graphql') }],
  },
  test: {
    testTimeout: 30_000,
    hookTimeout: 120_000,
    pool: 'forks',
    // Files share what they import, which costs as much as a third of the suite; no module keeps a state of one file.
    isolate: false,
    maxWorkers: 2,
    projects: [
      {
        extends: true,
        test: {
          name: 'all',
          include: ['test/**/*.test.ts', `!${FAST}`],
          globalSetup: 'test/harness/globalSetup.ts',
        },
      },
      // The tests of the data plane once more, on the relay that needs Linux.
      ...(process.platform === 'linux'
        ? [
            {
              extends: true as const,
              test: {
                name: 'fast relay',
                include: ['test/proxy/**/*.test.ts', ...NOT_FAST.map((file) => `!${file}`)],
                globalSetup: ['test/harness/globalSetup.ts', 'test/harness/builtWorker.ts'],
                env: { TEST_RELAY: 'fast' },
              },
            },
            {
              extends: true as const,
              test: {
                name: 'portable relay',
                include: WHOLE,
                globalSetup: 'test/harness/globalSetup.ts',
                env: { TEST_RELAY: 'portable' },
              },
            },
          ]
        : []),
    ],
  },
});

import { closeSync, openSync } from 'node:fs';

import { expect, test } from 'vitest';

import { parseExits, type ExitSpec } from '../../../src/proxy/exits/config.ts';
import { Passage } from '../../../src/proxy/exits/passage.ts';
import { ExitPool } from '../../../src/proxy/exits/pool.ts';
import { openLocal, type LocalSpec } from '../../../src/proxy/udp/localOutward.ts';
import type { Outward, OutwardFault } from '../../../src/proxy/udp/outward.ts';

const LISTENERS = { heard: () => undefined, failed: () => undefined };

/** Takes every descriptor that this process may have. @returns gives them back */
function takeDescriptors(): () => void {
  const taken: number[] = [];
  try {
    for (;;) taken.push(openSync('/dev/null', 'r'));
  } catch {
    return () => taken.forEach(closeSync);
  }
}

async function openWithoutDescriptors(spec: LocalSpec): Promise<Outward | OutwardFault> {
  const give = takeDescriptors();
  try {
    return await openLocal(spec, LISTENERS);
  } finally {
    give();
  }
}

test('that no descriptor is free is not blamed on an exit; that its address is missing is', async () => {
  const here: LocalSpec = { kind: 'BIND', label: 'here', address: '127.0.0.2' };
  expect(await openWithoutDescriptors(here)).toEqual({ blame: 'NOBODY', detail: 'UDP: NO_RESOURCES' });
  const away: LocalSpec = { kind: 'BIND', label: 'away', address: '192.0.2.1' };
  expect(await openLocal(away, LISTENERS)).toEqual({ blame: 'EXIT', detail: 'UDP: LOCAL_ADDRESS_MISSING' });
});

test('what this machine lacks no other exit has: the refusal is ours, and no exit has a failure', () => {
  const parsed = parseExits('bind:127.0.0.2,bind:127.0.0.3');
  const specs: readonly ExitSpec[] = 'exits' in parsed ? parsed.exits : [];
  const pool = new ExitPool(specs);
  const passage = new Passage(pool, { accountId: 1n, keyId: 1n, session: undefined }, () => 0);
  expect(passage.next()).toEqual(specs[0]);
  passage.failed({ blame: 'NOBODY', detail: 'UDP: NO_RESOURCES' });
  expect(passage.next()).toBeUndefined();
  expect(passage.denial).toMatchObject({ code: 'SERVICE_UNAVAILABLE' });
  expect(pool.stats.map(({ state, failures }) => [state, failures])).toEqual([
    ['HEALTHY', 0],
    ['HEALTHY', 0],
  ]);
});

import { setImmediate as turn } from 'node:timers/promises';

import { expect, test, vi } from 'vitest';

import type { Denial, KeyRules } from '../../src/keyRules.ts';
import { KeyWatches } from '../../src/proxy/keyWatches.ts';

const KEY = { keyId: 7n, accountId: 1n };

const REPLACED: Denial = { code: 'KEY_REVOKED', message: 'replaced' };
const RULES: KeyRules = { no: 2, scopes: ['PROXY'], networks: [], products: ['SHARED'], showTargets: false };

/** Among the watches that were given up: a secret has stopped working. */
const STOPPED = -1;

/** Connections are named; the rules forbid those whose name begins with `x`. */
function startWatches(lingerMs?: number) {
  const running: { die: () => void; obey: (rules: KeyRules) => void }[] = [];
  const dead: string[] = [];
  const stopped: number[] = [];
  const watches = new KeyWatches<string>(
    (_key, onDead, onRules) => {
      const index = running.push({ die: () => onDead(REPLACED), obey: onRules }) - 1;
      return () => void stopped.push(index);
    },
    {
      judge: (connection) => (connection.startsWith('x') ? { code: 'NOT_ALLOWED' } : undefined),
      end: (connection, keyId, { code }) => dead.push(`${connection} of ${keyId}: ${code}`),
      stopped: () => stopped.push(STOPPED),
    },
    lingerMs,
  );
  return { watches, running, dead, stopped };
}

test('a secret is watched once, until its last connection is over', () => {
  const { watches, running, stopped } = startWatches();
  watches.add('a', KEY);
  watches.add('b', KEY);
  watches.add('c', { ...KEY });
  expect(running).toHaveLength(2);
  watches.remove('a', KEY);
  watches.remove('a', KEY);
  expect(stopped).toEqual([]);
  watches.remove('b', KEY);
  expect(stopped).toEqual([0]);
  watches.add('d', KEY);
  expect(running).toHaveLength(3);
});

test('a secret that dies ends its connections after the present turn, and is watched anew for those that come later', async () => {
  const { watches, running, dead } = startWatches();
  watches.add('a', KEY);
  watches.add('over', KEY);
  watches.remove('over', KEY);
  running[0]?.die();
  watches.add('b', KEY);
  expect(dead).toEqual([]);
  await turn();
  expect(dead).toEqual(['a of 7: KEY_REVOKED', 'b of 7: KEY_REVOKED']);
  watches.add('c', KEY);
  watches.remove('a', KEY);
  expect(running).toHaveLength(2);
  running[1]?.die();
  await turn();
  expect(dead.slice(2)).toEqual(['c of 7: KEY_REVOKED']);
});

test('new rules end the connections that they forbid, and no other', () => {
  const { watches, running, dead } = startWatches();
  for (const connection of ['a', 'x1', 'b', 'x2']) watches.add(connection, KEY);
  running[0]?.obey(RULES);
  expect(dead).toEqual(['x1 of 7: NOT_ALLOWED', 'x2 of 7: NOT_ALLOWED']);
});

test('who comes with an answer of before the rules changed is judged by the new ones, after the present turn', async () => {
  const { watches, running, dead } = startWatches();
  watches.add('a', KEY);
  running[0]?.obey(RULES);
  for (const connection of ['b', 'x1', 'x2']) watches.add(connection, KEY);
  watches.remove('x2', KEY);
  expect(dead).toEqual([]);
  await turn();
  expect(dead).toEqual(['x1 of 7: NOT_ALLOWED']);
  expect(running).toHaveLength(1);
});

test('a secret is watched for a while after its last connection, and dies then too', () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  try {
    const { watches, running, stopped } = startWatches(100);
    watches.add('a', KEY);
    watches.remove('a', KEY);
    vi.advanceTimersByTime(60);
    watches.add('b', KEY);
    watches.remove('b', KEY);
    vi.advanceTimersByTime(99);
    expect([running.length, stopped]).toEqual([1, []]);
    vi.advanceTimersByTime(1);
    expect(stopped).toEqual([0]);
    watches.add('c', KEY);
    watches.remove('c', KEY);
    running[1]?.die();
    expect(stopped).toEqual([0, STOPPED]);
    watches.close();
    expect([stopped, vi.getTimerCount()]).toEqual([[0, STOPPED, 1], 0]);
  } finally {
    vi.useRealTimers();
  }
});

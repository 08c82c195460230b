import { setImmediate as turn } from 'node:timers/promises';

import { expect, test } from 'vitest';

import { KeyWatches } from '../../src/proxy/keyWatches.ts';

const KEY = { keyId: 7n, accountId: 1n };

function startWatches() {
  const running: (() => void)[] = [];
  const dead: string[] = [];
  const stopped: number[] = [];
  const watches = new KeyWatches<string>(
    (_key, onDead) => {
      const index = running.push(onDead) - 1;
      return () => void stopped.push(index);
    },
    (connection, keyId) => dead.push(`${connection} of ${keyId}`),
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
  running[0]?.();
  watches.add('b', KEY);
  expect(dead).toEqual([]);
  await turn();
  expect(dead).toEqual(['a of 7', 'b of 7']);
  watches.add('c', KEY);
  watches.remove('a', KEY);
  expect(running).toHaveLength(2);
  running[1]?.();
  await turn();
  expect(dead.slice(2)).toEqual(['c of 7']);
});

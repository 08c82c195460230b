import { expect, test } from 'vitest';

import { Tally } from '../../src/metering/tally.ts';

const HOUR = Date.UTC(2026, 2, 10, 10);
const NEXT = HOUR + 3_600_000;

test('lines by product and hour, worth their price', () => {
  const tally = new Tally();
  expect(tally.add('SHARED', HOUR, 5, 7)).toBe(0);
  tally.add('SHARED', HOUR, 1, 0);
  tally.add('SHARED', NEXT, 0, 2);
  tally.add('BROWSER', HOUR, 0, 4);
  expect([tally.bytes, tally.amount]).toEqual([19, 15 * 3 + 4 * 10]);
  expect(tally.take(9n)).toEqual([
    { keyId: 9n, product: 'SHARED', hour: new Date(HOUR), up: 6n, down: 7n },
    { keyId: 9n, product: 'SHARED', hour: new Date(NEXT), up: 0n, down: 2n },
    { keyId: 9n, product: 'BROWSER', hour: new Date(HOUR), up: 0n, down: 4n },
  ]);
  expect([tally.bytes, tally.amount, tally.take(9n)]).toEqual([0, 0, []]);
});

test('bytes given back after they were settled make the next ones of the product free', () => {
  const tally = new Tally();
  expect(tally.add('SHARED', HOUR, 0, -10)).toBe(-10);
  expect(tally.add('DEDICATED', HOUR, 3, 0)).toBe(0);
  expect(tally.add('SHARED', HOUR, 4, 0)).toBe(4);
  expect(tally.add('SHARED', HOUR, 2, 9)).toBe(6);
  expect(tally.take(9n)).toEqual([
    { keyId: 9n, product: 'DEDICATED', hour: new Date(HOUR), up: 3n, down: 0n },
    { keyId: 9n, product: 'SHARED', hour: new Date(HOUR), up: 2n, down: 3n },
  ]);
});

test('what one direction gives back, the other pays', () => {
  const tally = new Tally();
  expect(tally.add('SHARED', HOUR, -4, 10)).toBe(0);
  expect(tally.take(9n)).toEqual([{ keyId: 9n, product: 'SHARED', hour: new Date(HOUR), up: 0n, down: 6n }]);
});

import { describe, expect, test } from 'vitest';

import {
  formatCredits,
  hourStart,
  MAX_AMOUNT,
  parseCredits,
  PRICE_PER_BYTE,
  productNumber,
  productOf,
  PRODUCTS,
  windowEnd,
  windowStart,
} from '../src/units.ts';

describe('credits', () => {
  test.each([
    ['0', 0n],
    ['42.5', 42_500_000_000n],
    ['-0.000000001', -1n],
    ['9223372036.854775807', MAX_AMOUNT],
    ['1.100000000', 1_100_000_000n],
  ])('%s parses exactly', (text, amount) => {
    expect(parseCredits(text)).toBe(amount);
  });

  test.each(['', '.5', '5.', '1e3', '+1', ' 1', '0.0000000001', '9223372036.854775808', '99999999999', 'NaN', '١'])(
    'refuses %j',
    (text) => {
      expect(parseCredits(text)).toBeUndefined();
    },
  );

  test('printing and parsing are inverse', () => {
    for (const amount of [0n, 1n, -1n, 999_999_999n, 1_000_000_000n, -42_500_000_000n, MAX_AMOUNT]) {
      expect(parseCredits(formatCredits(amount))).toBe(amount);
    }
    expect(formatCredits(42_500_000_000n)).toBe('42.5');
    expect(formatCredits(-10n)).toBe('-0.00000001');
  });

  test('a gigabyte costs 3, 8 and 10 credits', () => {
    const gigabyte = PRODUCTS.map((product) => formatCredits(PRICE_PER_BYTE[product] * 10n ** 9n));
    expect(gigabyte).toEqual(['3', '8', '10']);
  });
});

test('product numbers are 1, 2, 3 and nothing else', () => {
  expect(PRODUCTS.map(productNumber)).toEqual([1, 2, 3]);
  expect([1, 2, 3].map(productOf)).toEqual(PRODUCTS);
  for (const number of [0, 4, -1, 1.5]) expect(() => productOf(number)).toThrow(RangeError);
});

describe('windows are UTC calendar windows', () => {
  test.each([
    ['DAY', '2026-11-21T22:40:00Z', '2026-11-21', '2026-11-22'],
    ['WEEK', '2026-11-21T22:40:00Z', '2026-11-16', '2026-11-23'],
    ['WEEK', '2026-11-22T23:59:59.999Z', '2026-11-16', '2026-11-23'],
    ['WEEK', '2026-11-23T00:00:00Z', '2026-11-23', '2026-11-30'],
    ['MONTH', '2024-02-29T12:00:00Z', '2024-02-01', '2024-03-01'],
    ['MONTH', '2026-12-31T23:59:59Z', '2026-12-01', '2027-01-01'],
    // The days on which clocks change in Paris.
    ['DAY', '2026-03-29T01:30:00Z', '2026-03-29', '2026-03-30'],
    ['DAY', '2026-10-25T01:30:00Z', '2026-10-25', '2026-10-26'],
  ] as const)('%s of %s', (window, at, start, end) => {
    expect(windowStart(window, new Date(at))).toEqual(new Date(start));
    expect(windowEnd(window, new Date(at))).toEqual(new Date(end));
  });

  test('an hour starts at its full hour', () => {
    expect(hourStart(new Date('2026-11-21T22:59:59.999Z'))).toEqual(new Date('2026-11-21T22:00:00Z'));
  });
});

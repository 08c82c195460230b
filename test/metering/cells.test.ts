import { expect, test } from 'vitest';

import { createCellTable } from '../../src/metering/cells.ts';

test('slots are apart from each other, used again, and released once only', () => {
  const table = createCellTable((bytes) => new SharedArrayBuffer(bytes));
  const places = Array.from({ length: 12_000 }, () => table.take());
  for (const [index, { slab, slot }] of places.entries()) slab.granted[slot] = index;
  expect(places.every(({ slab, slot }, index) => slab.granted[slot] === index)).toBe(true);
  const [first] = places;
  if (first === undefined) throw new Error('no place');
  table.release(first);
  expect(table.taken()).toBe(11_999);
  const again = table.take();
  expect([again.slab, again.slot, again.slab.granted[again.slot]]).toEqual([first.slab, first.slot, 0]);
  expect(again.generation).not.toBe(first.generation);
  table.release(first);
  expect(table.taken()).toBe(12_000);
});

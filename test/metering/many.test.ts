import { describe, expect, test } from 'vitest';

import { createCellTable, type CellTable, type Slab } from '../../src/metering/cells.ts';
import { KeyMeter, type MeterHost } from '../../src/metering/meter.ts';
import type { MeterSession } from '../../src/metering/session.ts';

const PRICE = 3;
const PIECE_BYTES = 100;
/** What one connection may cost on average, whatever it does: reads of counters and steps through lists. */
const MOST_STEPS = 250;

/** Counts reads of the cells, which is how connections are looked at. */
function countedCells(count: () => void): CellTable {
  const inner = createCellTable((bytes) => new ArrayBuffer(bytes));
  const counted = new Map<Slab, Slab>();
  const column = (array: Float64Array): Float64Array =>
    new Proxy(array, {
      get: (cells, place) => {
        count();
        return Reflect.get(cells, place) as unknown;
      },
    });
  return {
    ...inner,
    take() {
      const place = inner.take();
      const { granted, up, down } = place.slab;
      const slab = counted.get(place.slab) ?? {
        ...place.slab,
        ...{ granted: column(granted), up: column(up), down: column(down) },
      };
      counted.set(place.slab, slab);
      return { ...place, slab };
    },
  };
}

/** Counts the steps of those who go through it. */
class CountedSet<Item> extends Set<Item> {
  readonly #count: () => void;

  constructor(count: () => void) {
    super();
    this.#count = count;
  }

  override *[Symbol.iterator](): SetIterator<Item> {
    for (const item of super.values()) {
      this.#count();
      yield item;
    }
    return undefined;
  }
}

/** One key with many connections, and what looking after them has cost. */
class Crowd {
  steps = 0;
  readonly meter: KeyMeter;
  readonly sessions: MeterSession[] = [];
  /** Connections whose credit was lowered, which the thread has not acknowledged. */
  readonly lowered: MeterSession[] = [];

  /** @param remote another thread relays them */
  constructor(size: number, credit: number, remote: boolean) {
    const count = (): void => void (this.steps += 1);
    const host: MeterHost = {
      cells: countedCells(count),
      hour: () => 0,
      now: () => 0,
      mayForward: () => true,
      touched: count,
      hurry: count,
    };
    this.meter = new KeyMeter(host, 1n, 1n, { seq: 0n, reserved: credit });
    Object.assign(this.meter, { waiting: new CountedSet(count) });
    for (let each = 0; each < size; each += 1) {
      const session = this.meter.open('SHARED');
      session.attach({
        granted: () => void session.request(1),
        ended: () => undefined,
        ...(remote && { lowered: () => void this.lowered.push(session) }),
        unaccepted: () => 0,
      });
      this.sessions.push(session);
    }
  }

  /** Lends each a piece, which nobody has begun to spend. */
  lend(): void {
    for (const session of this.sessions) {
      // A piece is at most a part of what is there; asked for more, it is what was asked for.
      expect(session.request(PIECE_BYTES)).toBeGreaterThanOrEqual(PIECE_BYTES);
    }
  }

  /** @returns steps of the work, per connection */
  cost(work: () => void): number {
    this.steps = 0;
    work();
    return this.steps / this.sessions.length;
  }
}

/** A crowd that has been lent all there is. */
function crowd(size: number, remote = true): Crowd {
  const made = new Crowd(size, size * PIECE_BYTES * PRICE, remote);
  // Each is lent what it asks for and no more: the last one too.
  for (const session of made.sessions) {
    made.meter.free = PIECE_BYTES * PRICE;
    session.request(PIECE_BYTES);
  }
  made.meter.free = 0;
  return made;
}

describe.each([
  ['in another thread', true],
  ['in this thread', false],
])('relayed %s', (_where, remote) => {
  test.each([1_000, 10_000])('%i connections that ask for the last credit cost no more each than few do', (size) => {
    const last = crowd(size, remote);
    const asking = last.cost(() => {
      for (const session of last.sessions) session.request(16 << 10);
    });
    // In this thread what another has not begun to spend is free to be taken.
    expect(last.meter.waiting.size).toBe(remote ? size : 0);
    expect(asking).toBeLessThan(MOST_STEPS);
    expect(last.cost(() => last.meter.serve())).toBeLessThan(MOST_STEPS);
  });
});

test.each([1_000, 10_000])(
  '%i connections that give their credit back, one after the other, while all wait',
  (size) => {
    const last = crowd(size);
    for (const session of last.sessions) session.request(16 << 10);
    last.meter.recalled = true;
    last.meter.sweep();
    expect(last.lowered).toHaveLength(size);
    const recalled = last.cost(() => {
      for (const session of last.lowered.splice(0)) session.acknowledged();
    });
    expect(recalled).toBeLessThan(MOST_STEPS);
    expect(last.meter.returning).toBe(false);
  },
);

test.each([1_000, 10_000])('%i connections that have begun to spend are asked for the rest', (size) => {
  const last = crowd(size);
  for (const { cells, slot } of last.sessions) cells.down[slot] = 1;
  const cost = last.cost(() => {
    for (const session of last.sessions) session.request(16 << 10);
    for (let round = 0; last.lowered.length > 0 && round < 10; round += 1) {
      for (const session of last.lowered.splice(0)) session.acknowledged();
    }
  });
  expect(cost).toBeLessThan(10 * MOST_STEPS);
});

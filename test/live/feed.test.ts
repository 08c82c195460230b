import { describe, expect, test } from 'vitest';

import type { AccountEvent, FeedReader } from '../../src/events.ts';
import { AccountFeed, PAGE_EVENTS } from '../../src/live/feed.ts';
import { take } from '../../src/resolvers/usage/streamEvents.ts';
import { eventually } from './fixture.ts';

function event(seq: number, more: Partial<AccountEvent> = {}): AccountEvent {
  return {
    ...{ accountId: 1n, seq: BigInt(seq), at: new Date(seq), kind: 'usage', keyId: 1n, product: 'SHARED' },
    ...{ up: 1n, down: 2n, amount: -9n, balance: 1_000n - 9n * BigInt(seq), remaining: 500n, keyRemaining: null },
    ...more,
  };
}

/** A feed over a history that is in the database, from `pruned` + 1 on. */
function feedOver(history: readonly AccountEvent[]): { feed: AccountFeed; reader: FeedReader; loads: bigint[] } {
  const loads: bigint[] = [];
  const load = async (_accountId: bigint, after: bigint): Promise<AccountEvent[]> => {
    loads.push(after);
    return history.filter(({ seq }) => seq > after).slice(0, PAGE_EVENTS);
  };
  const feed = new AccountFeed(1n, load, (error) => expect.unreachable(String(error)));
  const reader = feed.follow(
    () => {},
    () => {},
  );
  return { feed, reader, loads };
}

const seqs = async (reader: FeedReader, after: number): Promise<number[]> =>
  (await reader.read(BigInt(after))).events.map(({ seq }) => Number(seq));

describe('the feed of an account', () => {
  test('puts in order what arrives out of order or twice, without the database', async () => {
    const { feed, reader, loads } = feedOver([]);
    feed.offer([event(6)]);
    reader.start(4n);
    feed.offer([event(8), event(7)]);
    feed.offer([event(5), event(6), event(3)]);
    expect(await seqs(reader, 4)).toEqual([5, 6, 7, 8]);
    expect(await seqs(reader, 7)).toEqual([8]);
    expect(loads).toEqual([]);
    reader.close();
  });

  test('reads what is missing from the database, page after page', async () => {
    const history = Array.from({ length: 1_200 }, (_, index) => event(index + 1));
    const { feed, reader, loads } = feedOver(history);
    reader.start(0n);
    feed.offer([event(1_201)]);
    await eventually(() => reader.head === 1_201n);
    expect(loads.length).toBe(3);
    reader.close();
  });

  test('who is further behind than memory reads the database; what was pruned is missing', async () => {
    const history = Array.from({ length: 5_000 }, (_, index) => event(index + 101));
    const { feed, reader } = feedOver(history);
    reader.start(100n);
    for (const one of history) feed.offer([one]);
    expect((await seqs(reader, 100)).at(-1)).toBe(100 + PAGE_EVENTS);
    expect(await reader.read(50n)).toEqual({ events: [], missing: true });
    reader.close();
  });

  test('goes on behind a hole that was pruned while it could not read', async () => {
    const { feed, reader } = feedOver([event(50), event(51)]);
    reader.start(10n);
    feed.reaches(51n);
    await eventually(() => reader.head === 51n);
    expect(await seqs(reader, 49)).toEqual([50, 51]);
    expect(await reader.read(10n)).toMatchObject({ missing: true });
    reader.close();
  });
});

describe('taking the next event', () => {
  const page = [event(1), event(2), event(3, { keyId: 2n }), event(4), event(5, { product: 'DEDICATED' })];

  test('sums neighbours of one key and product, and nothing across others', () => {
    expect(take(page, 0n, null)).toMatchObject({
      event: { fromSeq: 1n, seq: 2n, bytesUp: 2n, credits: 18n },
      scanned: 2n,
    });
    expect(take(page.slice(2), 2n, null)).toMatchObject({ event: { fromSeq: 3n, seq: 3n, keyId: 2n } });
  });

  test('with a filter, the range covers what belongs to others', () => {
    expect(take(page, 0n, 1n)).toMatchObject({ event: { fromSeq: 1n, seq: 4n, bytesDown: 6n }, scanned: 4n });
    expect(take(page, 0n, 2n)).toMatchObject({ event: { fromSeq: 1n, seq: 3n }, scanned: 3n });
    expect(take(page, 0n, 9n)).toEqual({ event: undefined, scanned: 5n });
  });

  test('adjustments stand alone, and a key narrows what remains', () => {
    const mixed = [event(1, { keyRemaining: 7n }), event(2, { kind: 'entry', keyId: null, product: null, amount: 5n })];
    expect(take(mixed, 0n, 1n)).toMatchObject({ event: { seq: 1n, remaining: 7n } });
    expect(take(mixed, 0n, null)).toMatchObject({ event: { seq: 1n, remaining: 500n } });
    expect(take(mixed.slice(1), 1n, 1n)).toMatchObject({ event: { kind: 'ENTRY', amount: 5n, fromSeq: 2n } });
  });
});

import { expect, test } from 'vitest';

import { sql } from '../../src/database/sql.ts';
import { beat } from '../../src/resolvers/ledger/beat.ts';
import { check } from '../../src/resolvers/ledger/check.ts';
import { openInstance } from '../../src/resolvers/ledger/open.ts';
import { tick } from '../../src/resolvers/ledger/tick.ts';
import { NANO, PRICE_PER_BYTE } from '../../src/units.ts';
import { openTestDatabase, type TestDatabase } from '../harness/database.ts';
import { newAccount, newKey } from '../resolvers/ledger/fixture.ts';
import { acknowledge, forward, freeze, leaseOf, newRelay, type Instance, type RelayLease } from './relay.ts';

const ROUND_MS = 100;
const BEAT_EVERY_ROUNDS = 5;
/** 3 s without a grant: the relay gives up. */
const PATIENCE_ROUNDS = 30;
const MAX_ROUNDS = 400;
const FLOOR = 16_384n * PRICE_PER_BYTE.SHARED;

interface Meter {
  readonly instance: Instance;
  readonly lease: RelayLease;
  /** Bytes per round; 0: idle after the first, with a lease in hand. */
  readonly rate: bigint;
  left: bigint;
  waited: number;
  closed: boolean;
}

const BALANCE = sql('strandedBalance', 'select balance, reserved from account where id = $1');

/** One hot meter, many that trickle or idle, on one account; each first takes a lease. */
async function meters(db: TestDatabase, account: bigint, now: Date): Promise<Meter[]> {
  const keys = await Promise.all(Array.from({ length: 5 }, () => newKey(db, account)));
  const instances = Array.from({ length: 8 }, () => newRelay(now));
  for (const { id } of instances) await openInstance(db, id, now);
  const all = instances.flatMap((instance) => keys.map((keyId) => ({ instance, lease: leaseOf(instance, keyId) })));
  return all.map((place, index) => ({
    ...place,
    rate: index === 0 ? 40_000_000n : index % 3 === 0 ? 700n : 0n,
    left: 0n,
    waited: 0,
    closed: false,
  }));
}

/** ARCHITECTURE.md, "Ledger", relay rules: twice the last use, at most a quarter of what is left. */
function wish({ lease, rate, left }: Meter, round: number): bigint {
  if (round > 1 && rate === 0n && !lease.recalled) return round > BEAT_EVERY_ROUNDS * 2 ? 0n : FLOOR;
  if (lease.recalled) return rate * PRICE_PER_BYTE.SHARED * 2n;
  const ample = rate * 2n * PRICE_PER_BYTE.SHARED;
  const quarter = left / 4n;
  const wanted = ample < quarter ? ample : quarter;
  return wanted > FLOOR ? wanted : FLOOR;
}

async function settleInstance(db: TestDatabase, own: readonly Meter[], round: number, now: Date): Promise<void> {
  const [first] = own;
  if (first === undefined) return;
  const frozen = own.map((meter) => freeze(meter.lease, wish(meter, round)));
  const lines = frozen.flatMap((settlement) => settlement.lines);
  const result = await tick(db, first.instance.id, frozen.map(({ request }) => request), lines, now); // prettier-ignore
  for (const meter of own) {
    const answer = result.answers.find(({ keyId }) => keyId === meter.lease.keyId)!;
    acknowledge(meter.lease, answer);
    meter.left = answer.left;
    const usable = (meter.lease.ceiling - meter.lease.spent) / PRICE_PER_BYTE.SHARED > 0n;
    meter.waited = usable ? 0 : meter.waited + 1;
    const exhausted = !usable && answer.reason !== 'SHARE' && !answer.contended;
    if (meter.rate > 0n && (exhausted || meter.waited > PATIENCE_ROUNDS)) meter.closed = true;
  }
}

async function exhaust(db: TestDatabase, credit: bigint): Promise<bigint> {
  let now = new Date('2026-04-15T12:30:00Z');
  const account = await newAccount(db, credit, now);
  const all = await meters(db, account, now);
  const instances = [...new Set(all.map(({ instance }) => instance))];
  for (let round = 1; round <= MAX_ROUNDS && all.some(({ rate, closed }) => rate > 0n && !closed); round += 1) {
    now = new Date(now.getTime() + ROUND_MS);
    for (const { lease, rate, closed } of all) if (!closed) forward(lease, 'SHARED', rate, now);
    for (const instance of instances) {
      if (round % BEAT_EVERY_ROUNDS === 0) {
        const { recalled } = await beat(db, instance.id, now);
        for (const keyId of recalled) leaseOf(instance, keyId).recalled = true;
      }
      const due = all.filter((meter) => meter.instance === instance && (meter.rate > 0n || meter.lease.granted > meter.lease.spent || round === 1)); // prettier-ignore
      await settleInstance(db, due, round, now);
    }
  }
  const [row] = await db.query<{ balance: bigint; reserved: bigint }>(BALANCE, [account]);
  expect(row!.balance).toBeGreaterThanOrEqual(0n);
  expect(row!.reserved).toBeLessThanOrEqual(row!.balance);
  return row!.balance;
}

test.each([100_000n, 10_000_000n, NANO])(
  'of %s nano-credits on forty leases, at least 99.9 percent can be spent, and none beyond',
  async (credit) => {
    await using db = await openTestDatabase();
    const stranded = await exhaust(db, credit);
    console.log(`${stranded} of ${credit} nano-credits stranded`);
    expect(stranded).toBeLessThanOrEqual(credit / 1_000n);
    expect(await check(db)).toMatchObject({ drift: 0n, violations: [] });
  },
  120_000,
);

import type { Sql } from '../../src/database/sql.ts';
import type { AccountEvent } from '../../src/events.ts';
import type { Posting } from '../../src/resolvers/ledger/post.ts';
import { beat } from '../../src/resolvers/ledger/beat.ts';
import { openInstance } from '../../src/resolvers/ledger/open.ts';
import type { TickLine, TickRequest } from '../../src/resolvers/ledger/types.ts';
import { PRODUCTS } from '../../src/units.ts';
import { newAccount, newKey } from '../resolvers/ledger/fixture.ts';
import { assertHolds } from './failure.ts';
import { seededRandom, type Random } from './random.ts';
import { forward, leaseOf, newRelay, unsettled, type Instance } from './relay.ts';

/** How many of each. Dense: several keys in one account, on every instance. */
export interface Shape {
  readonly name: string;
  readonly accounts: number;
  readonly keys: number;
  readonly instances: number;
}

export const SPARSE: Shape = { name: 'sparse', accounts: 20, keys: 60, instances: 3 };
export const DENSE: Shape = { name: 'dense', accounts: 3, keys: 6, instances: 3 };

export interface SimKey {
  readonly id: bigint;
  accountId: bigint;
  active: boolean;
}

export interface SimAccount {
  readonly id: bigint;
  suspended: boolean;
}

/** A settlement that arrives once more, long after it was acknowledged. */
export interface Straggler {
  readonly instance: Instance;
  readonly requests: readonly TickRequest[];
  readonly lines: readonly TickLine[];
}

/** Bytes per key, product and hour. */
export type Tally = Map<string, bigint>;

/** Everything the simulation knows; the database is compared with it. */
export interface World {
  readonly db: Sql;
  readonly random: Random;
  now: Date;
  readonly accounts: SimAccount[];
  readonly keys: SimKey[];
  readonly instances: Instance[];
  readonly stragglers: Straggler[];
  readonly postings: Posting[];
  /** Bytes that flowed; that were applied by the database; that died with an instance. */
  readonly forwarded: Tally;
  readonly executed: Tally;
  readonly lost: Tally;
  /** Last event seen of each account. */
  readonly seqs: Map<bigint, bigint>;
  /** Sums above a limit (invariant 3): they may grow only by an administrative act. */
  excesses: Map<string, bigint>;
  administrative: boolean;
}

/** Just before midnight: on Sunday 31 May, on Saturday 28 February, on a Sunday, in the middle of a week. */
const STARTS = ['2026-05-31T23:59:50Z', '2026-02-28T23:59:40Z', '2026-03-29T23:58:00Z', '2026-04-15T23:59:55Z'];

export async function newWorld(db: Sql, seed: number, shape: Shape): Promise<World> {
  const random = seededRandom(seed);
  const world: World = {
    db, random, now: new Date(random.pick(STARTS)), accounts: [], keys: [], instances: [], stragglers: [],
    postings: [], forwarded: new Map(), executed: new Map(), lost: new Map(), seqs: new Map(), excesses: new Map(),
    administrative: false,
  }; // prettier-ignore
  for (let i = 0; i < shape.accounts; i += 1) await addAccount(world);
  for (let i = 0; i < shape.keys; i += 1) await addKey(world);
  for (let i = 0; i < shape.instances; i += 1) await addInstance(world);
  return world;
}

export async function addAccount(world: World): Promise<void> {
  const id = await newAccount(world.db, BigInt(world.random.int(100_000, 3_000_000)), world.now);
  world.accounts.push({ id, suspended: false });
  world.seqs.set(id, 1n);
}

export async function addKey(world: World): Promise<void> {
  const account = world.accounts[world.keys.length % world.accounts.length] ?? world.random.pick(world.accounts);
  world.keys.push({ id: await newKey(world.db, account.id), accountId: account.id, active: true });
}

export async function addInstance(world: World): Promise<void> {
  const instance = newRelay(world.now);
  await openInstance(world.db, instance.id, world.now);
  world.instances.push(instance);
}

/** Adds bytes to a tally. Exact to the hour: a byte must not turn up in another one. */
export function count(tally: Tally, lines: readonly TickLine[]): void {
  for (const { keyId, product, hour, up, down } of lines) {
    const place = `${keyId} ${PRODUCTS.indexOf(product) + 1} ${hour.toISOString()}`;
    tally.set(`${place} up`, (tally.get(`${place} up`) ?? 0n) + up);
    tally.set(`${place} down`, (tally.get(`${place} down`) ?? 0n) + down);
  }
}

/** New events must go on where the stream of their account stood. */
export function publish(world: World, events: readonly AccountEvent[]): void {
  for (const { accountId, seq } of events) {
    const expected = (world.seqs.get(accountId) ?? 0n) + 1n;
    assertHolds(seq === expected, () => `event ${seq} of account ${accountId} follows ${expected - 1n}`);
    world.seqs.set(accountId, seq);
  }
}

export function live(world: World): Instance[] {
  return world.instances.filter(({ state }) => state === 'LIVE');
}

/** Traffic on some keys of some live instances. */
export function flow(world: World): void {
  const { random } = world;
  for (let i = random.int(0, 6); i > 0; i -= 1) {
    const lease = leaseOf(random.pick(live(world)), random.pick(world.keys).id);
    const bytes = BigInt(random.chance(0.2) ? random.int(20_000, 200_000) : random.int(1, 9_000));
    const line = forward(lease, random.pick(PRODUCTS), bytes, world.now);
    if (line !== undefined) count(world.forwarded, [line]);
  }
}

/** The process is gone, with what it had not settled. */
export function die(world: World, instance: Instance): void {
  for (const lease of instance.leases.values()) count(world.lost, unsettled(lease));
  instance.state = 'CRASHED';
}

/** Heartbeat. @returns false when the instance was fenced: its process ends */
export async function heartbeat(world: World, instance: Instance): Promise<boolean> {
  const { fenced, recalled } = await beat(world.db, instance.id, world.now);
  if (fenced) {
    die(world, instance);
    world.instances.splice(world.instances.indexOf(instance), 1);
    return false;
  }
  instance.beatAt = world.now.getTime();
  for (const keyId of recalled) leaseOf(instance, keyId).recalled = true;
  return true;
}

import { expect, test } from 'vitest';

import { check } from '../../src/resolvers/ledger/check.ts';
import { limits } from '../../src/resolvers/ledger/limits.ts';
import { PRICE_PER_BYTE, type Product } from '../../src/units.ts';
import { balance, billed } from '../metering/ledgerState.ts';
import { RemoteStream } from '../metering/remoteStream.ts';
import { type TestInstance, type World, worldsOfFile } from '../metering/world.ts';
import { newAccount, newKey } from '../resolvers/ledger/fixture.ts';
import { seededRandom, type Random } from './random.ts';

const openWorld = worldsOfFile();

const KEYS = 3;
const INSTANCES = 2;
const CONNECTIONS = 24;
const STEPS = 120;
const STEP_MS = 20;
/** What a connection that is busy has waiting at its source. */
const BUSY_BYTES = 20_000;
/** Orders are seen so many turns late at most. */
const MOST_LAG_TURNS = 6;

interface Relayed {
  readonly stream: RemoteStream;
  readonly instance: TestInstance;
  readonly product: Product;
  busy: boolean;
}

/** Connections in the threads of several instances, of several keys with one credit. */
class Simulation {
  readonly #world: World;
  readonly #random: Random;
  readonly #account: bigint;
  readonly #keys: readonly bigint[];
  readonly #instances: readonly TestInstance[];
  #open: Relayed[] = [];
  /** Nano-credits of what those that are closed have delivered. */
  #delivered = 0n;
  #bytes = 0n;

  constructor(world: World, random: Random, account: bigint, keys: readonly bigint[], instances: TestInstance[]) {
    this.#world = world;
    this.#random = random;
    this.#account = account;
    this.#keys = keys;
    this.#instances = instances;
  }

  /** What it is worth that has been read so far, delivered or not. */
  get spent(): bigint {
    return this.#open.reduce(
      (sum, { stream, product }) =>
        sum + BigInt(stream.closed ? stream.delivered : stream.spent) * PRICE_PER_BYTE[product],
      this.#delivered,
    );
  }

  get delivered(): { readonly bytes: bigint; readonly amount: bigint } {
    return { bytes: this.#bytes, amount: this.#delivered };
  }

  /** @returns whether it was let in */
  async connect(): Promise<boolean> {
    const instance = this.#random.pick(this.#instances);
    const product = this.#random.pick(['SHARED', 'DEDICATED'] as const);
    const opened = await this.#world.open(instance, this.#account, this.#random.pick(this.#keys), product);
    if ('refusal' in opened) return false;
    const stream = new RemoteStream(opened.session, () => this.#random.int(0, MOST_LAG_TURNS));
    this.#open.push({ stream, instance, product, busy: true });
    return true;
  }

  /** Something happens to somebody. */
  async act(): Promise<void> {
    const random = this.#random;
    if (random.chance(0.05)) this.#crash(random.pick(this.#instances));
    if (this.#open.length > 0 && random.chance(0.2)) this.#close([random.pick(this.#open)]);
    if (random.chance(0.1)) await this.#changeTerms();
    for (const each of this.#open) {
      if (random.chance(0.1)) each.busy = !each.busy;
      // Part of what it reads is on its way for a while; what was accepted stays so.
      const { stream } = each;
      stream.unaccepted = random.chance(0.3) ? random.int(0, stream.spent - stream.accepted) : 0;
    }
    while (this.#open.length < CONNECTIONS && (await this.connect()));
  }

  async turns(ms: number): Promise<void> {
    for (const { stream, busy } of this.#open) if (busy) stream.waiting = BUSY_BYTES;
    for (let passed = 0; passed < ms; passed += 1) {
      for (const { stream } of this.#open) stream.turn();
      await this.#world.pass(1);
    }
    this.#close(this.#open.filter(({ stream }) => stream.closed));
  }

  /** All want all they can get, and what they read gets through, until nobody is left. */
  async exhaust(): Promise<void> {
    for (let step = 0; this.#open.length > 0; step += 1) {
      if (step === 1_000) throw new Error('the connections do not end');
      for (const each of this.#open) {
        each.busy = true;
        each.stream.unaccepted = 0;
      }
      await this.turns(STEP_MS);
    }
  }

  /** The thread of an instance is gone, with what it had read and not delivered. */
  #crash(instance: TestInstance): void {
    const gone = this.#open.filter((each) => each.instance === instance);
    for (const { stream } of gone) stream.unaccepted = this.#random.int(0, stream.spent - stream.accepted);
    this.#close(gone);
  }

  #close(gone: readonly Relayed[]): void {
    for (const { stream, product } of gone) {
      const bytes = BigInt(stream.close());
      this.#bytes += bytes;
      this.#delivered += bytes * PRICE_PER_BYTE[product];
    }
    this.#open = this.#open.filter((each) => !gone.includes(each));
  }

  /** A limit that is never reached comes or goes: all credit goes back and is asked for anew. */
  async #changeTerms(): Promise<void> {
    const day = this.#random.chance(0.5) ? null : 10n ** 15n;
    await limits(this.#world.db, { accountId: this.#account }, { day }, this.#world.now());
    for (const { events } of this.#instances)
      events.publish('leasesChanged', { accountId: this.#account, keyIds: null });
  }
}

test.each([1, 2, 3, 4, 5, 6])(
  'seed %i: connections in other threads, with recalls and crashes, spend one credit; nothing over, and less than a thousandth is left',
  async (seed) => {
    await using world = openWorld();
    const random = seededRandom(seed);
    const credit = BigInt(random.pick([60_000_001, 150_000_003, 400_000_007]));
    const account = await newAccount(world.db, credit, world.now());
    const keys = await Promise.all(Array.from({ length: KEYS }, () => newKey(world.db, account)));
    const instances: TestInstance[] = [];
    while (instances.length < INSTANCES) instances.push(await world.instance());
    const simulation = new Simulation(world, random, account, keys, instances);
    for (let step = 0; step < STEPS && simulation.spent < (credit * 9n) / 10n; step += 1) {
      await simulation.act();
      await simulation.turns(STEP_MS);
      expect(simulation.spent).toBeLessThanOrEqual(credit);
    }
    await simulation.exhaust();
    await world.pass(3_000);
    const { bytes, amount } = simulation.delivered;
    expect(await billed(world.db, ...keys)).toEqual({ bytes, amount });
    console.log(`seed ${seed}: ${credit - amount} of ${credit} nano-credits stranded`);
    const left = await balance(world.db, account);
    expect(left).toEqual({ balance: credit - amount, reserved: 0n });
    expect(left.balance).toBeLessThan(credit / 1_000n);
    expect((await check(world.db)).violations).toEqual([]);
  },
  120_000,
);

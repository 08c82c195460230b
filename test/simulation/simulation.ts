import type { Sql } from '../../src/database/sql.ts';
import { close, expire, forgetInstances, prune } from '../../src/resolvers/ledger/upkeep.ts';
import { HOUR_MS } from '../../src/units.ts';
import { barSomething, limitSomething, mergeSomething, postAgain, postSomething, resetSomething } from './acts.ts';
import { audit, auditBytes, auditEnd } from './audit.ts';
import { assertHolds, BrokenPromise } from './failure.ts';
import { costOf, unsettled } from './relay.ts';
import { deliverLate, finishInFlight, misbehave, settleAll, settleSome } from './settle.ts';
import { addInstance, die, flow, heartbeat, live, newWorld, type Shape, type World } from './world.ts';

const TTL_MS = 15_000;
const BEAT_EVERY_MS = 5_000;
const KEEP_EVENTS_MS = 60_000;
const DAY_MS = 86_400_000;
const BYTES_EVERY = 5;

export interface Run {
  readonly seed: number;
  readonly steps: number;
  readonly shape: Shape;
}

/**
 * Drives the ledger with random traffic, faults and acts, and checks every invariant after every step.
 * @throws BrokenPromise with seed and step
 */
export async function simulate(db: Sql, { seed, steps, shape }: Run): Promise<World> {
  const world = await newWorld(db, seed, shape);
  let step = 0;
  let action = 'start';
  try {
    for (; step < steps; step += 1) {
      await advance(world);
      if (live(world).length > 0) flow(world);
      action = await act(world, shape);
      await audit(world);
      if (step % BYTES_EVERY === 0) await auditBytes(world);
    }
    action = 'end';
    await finish(world);
    return world;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new BrokenPromise(`${shape.name} simulation, seed ${seed}, step ${step} (${action}): ${reason}`, {
      cause: error,
    });
  }
}

/** Time passes: mostly little, sometimes to the end of the hour or day, with leases out. */
async function advance(world: World): Promise<void> {
  const { random } = world;
  const time = world.now.getTime();
  const draw = random.next();
  let next = time + random.int(20, 900);
  if (draw < 0.03) next = Math.ceil(time / DAY_MS) * DAY_MS - random.int(1, 2_000);
  else if (draw < 0.06) next = Math.ceil(time / HOUR_MS) * HOUR_MS - random.int(1, 2_000);
  else if (draw < 0.13) next = time + random.int(30_000, 400_000);
  if (next <= time) next = time + 1;
  if (next - time > BEAT_EVERY_MS) {
    // A relay settles at least once per second: none has a settlement in flight for that long.
    for (const instance of live(world)) await finishInFlight(world, instance);
  }
  world.now = new Date(next);
  for (const instance of live(world)) {
    if (next - instance.beatAt > BEAT_EVERY_MS) await heartbeat(world, instance);
  }
}

const ACTIONS: readonly (readonly [weight: number, name: string, run: (world: World) => Promise<unknown>])[] = [
  [50, 'settle', (world) => settleSome(world, world.random.pick(live(world)))],
  [8, 'late duplicate', deliverLate],
  [3, 'misbehave', (world) => misbehave(world, world.random.pick(live(world)))],
  [6, 'beat', (world) => heartbeat(world, world.random.pick(live(world)))],
  [8, 'post', postSomething],
  [2, 'post again', postAgain],
  [8, 'limit', limitSomething],
  [5, 'bar', barSomething],
  [6, 'reset', resetSomething],
  [1.5, 'merge', mergeSomething],
  [2, 'crash', async (world) => die(world, world.random.pick(live(world)))],
  [2, 'stop', async (world) => void (world.random.pick(live(world)).state = 'STOPPED')],
  [3, 'wake', wake],
  [4, 'expire', expireDead],
  [5, 'close', (world) => close(world.db, world.now)],
  [4, 'prune', (world) => prune(world.db, world.now, KEEP_EVENTS_MS)],
  [0.5, 'forget', (world) => forgetInstances(world.db, world.now, DAY_MS)],
];
const TOTAL_WEIGHT = ACTIONS.reduce((sum, [weight]) => sum + weight, 0);

async function act(world: World, shape: Shape): Promise<string> {
  while (live(world).length < shape.instances) await addInstance(world);
  let draw = world.random.next() * TOTAL_WEIGHT;
  for (const [weight, name, run] of ACTIONS) {
    draw -= weight;
    if (draw >= 0) continue;
    await run(world);
    return name;
  }
  return 'nothing';
}

async function wake(world: World): Promise<void> {
  const instance = world.instances.find(({ state }) => state === 'STOPPED');
  if (instance === undefined) return;
  instance.state = 'LIVE';
  if (world.random.chance(0.5)) await settleSome(world, instance);
  // Nothing is forwarded on a lease older than half a TTL before a heartbeat has been acknowledged.
  if (world.instances.includes(instance)) await heartbeat(world, instance);
}

/** What was lost with an instance stays below what its leases held. */
async function expireDead(world: World): Promise<void> {
  const expired = await expire(world.db, TTL_MS, world.now);
  for (const { instanceId, lost } of expired) {
    const instance = world.instances.find(({ id }) => id === instanceId);
    if (instance === undefined) continue;
    instance.fenced = true;
    assertHolds(instance.state !== 'LIVE', () => 'a live instance was fenced');
    const unbilled = [...instance.leases.values()].reduce((sum, lease) => sum + costOf(unsettled(lease)), 0n);
    assertHolds(unbilled <= lost, () => `${unbilled} died with an instance that held ${lost}`);
    if (instance.state === 'CRASHED') world.instances.splice(world.instances.indexOf(instance), 1);
  }
}

async function finish(world: World): Promise<void> {
  for (const instance of world.instances) if (instance.state === 'STOPPED') instance.state = 'LIVE';
  for (const instance of live(world)) if (await heartbeat(world, instance)) await settleAll(world, instance);
  world.now = new Date(world.now.getTime() + 3 * HOUR_MS);
  for (const instance of live(world)) await heartbeat(world, instance);
  await expireDead(world);
  while ((await close(world.db, world.now)) > 0);
  await auditEnd(world);
}

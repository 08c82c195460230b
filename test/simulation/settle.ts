import { tick } from '../../src/resolvers/ledger/tick.ts';
import type { TickAnswer, TickLine, TickRequest } from '../../src/resolvers/ledger/types.ts';
import { assertHolds } from './failure.ts';
import { acknowledge, freeze, type Frozen, type Instance, type RelayLease } from './relay.ts';
import { count, die, publish, type World } from './world.ts';

/** Settles some leases of an instance; frozen ones are sent again as they are. */
export async function settleSome(world: World, instance: Instance): Promise<void> {
  const { random } = world;
  const share = random.pick([0.1, 0.4, 1]);
  const leases = [...instance.leases.values()].filter((lease) => lease.recalled || random.chance(share));
  const sent = leases.map((lease) => lease.frozen ?? freeze(lease, wish(world, lease)));
  await send(world, instance, sent, { requestLost: random.chance(0.06), answerLost: random.chance(0.12) });
}

/** Brings every settlement in flight to its end. */
export async function finishInFlight(world: World, instance: Instance): Promise<void> {
  const frozen = [...instance.leases.values()].flatMap((lease) => lease.frozen ?? []);
  await send(world, instance, frozen, { requestLost: false, answerLost: false });
}

/** Settles everything and gives everything back. */
export async function settleAll(world: World, instance: Instance): Promise<void> {
  await finishInFlight(world, instance);
  const frozen = [...instance.leases.values()].map((lease) => freeze(lease, 0n));
  await send(world, instance, frozen, { requestLost: false, answerLost: false });
}

function wish({ random }: World, lease: RelayLease): bigint {
  if (lease.recalled) return BigInt(random.int(0, 3_000));
  const most = random.pick([0, 3_000, 60_000, 400_000, 5_000_000]);
  return BigInt(random.int(0, most));
}

interface Network {
  readonly requestLost: boolean;
  readonly answerLost: boolean;
}

async function send(world: World, instance: Instance, sent: readonly Frozen[], network: Network): Promise<void> {
  if (sent.length === 0 || network.requestLost) return;
  const requests = sent.map(({ request }) => request);
  const lines = sent.flatMap((frozen) => frozen.lines);
  const result = await tick(world.db, instance.id, requests, lines, world.now);
  publish(world, result.events);
  if (result.fenced) {
    die(world, instance);
    return void world.instances.splice(world.instances.indexOf(instance), 1);
  }
  const answers = new Map(result.answers.map((answer) => [answer.keyId, answer]));
  for (const frozen of sent) {
    const answer = answers.get(frozen.request.keyId);
    const lease = instance.leases.get(frozen.request.keyId);
    assertHolds(answer !== undefined && lease !== undefined, () => `no answer for key ${frozen.request.keyId}`);
    assertAnswer(world, lease, frozen, answer);
    if (!frozen.executed) count(world.executed, frozen.lines);
    frozen.executed = true;
    if (!network.answerLost) acknowledge(lease, answer);
  }
  if (world.random.chance(0.2)) world.stragglers.push({ instance, requests, lines });
}

function assertAnswer(world: World, lease: RelayLease, frozen: Frozen, answer: TickAnswer): void {
  const expected = frozen.executed ? 'REPLAY' : 'APPLIED';
  assertHolds(answer.outcome === expected, () => `${answer.outcome} instead of ${expected} for key ${lease.keyId}`);
  const key = world.keys.find(({ id }) => id === lease.keyId);
  const account = world.accounts.find(({ id }) => id === key?.accountId);
  const barred = key?.active === false || account?.suspended === true;
  if (barred && !frozen.executed) {
    assertHolds(answer.granted <= lease.granted, () => `credit lent to key ${lease.keyId}, which is barred`);
  }
  if (barred) {
    const reason = key?.active === false ? 'KEY_REVOKED' : 'ACCOUNT_SUSPENDED';
    assertHolds(answer.reason === reason, () => `reason ${answer.reason} instead of ${reason}`);
  }
  const asked = frozen.request.want;
  const got = answer.granted - answer.spent;
  assertHolds(got <= asked || frozen.executed, () => `key ${lease.keyId} got ${got} and asked for ${asked}`);
  assertHolds(
    got >= asked || frozen.executed || answer.reason !== null,
    () => `key ${lease.keyId}: less without a reason`,
  );
}

/** An old settlement arrives once more: it must change nothing. */
export async function deliverLate(world: World): Promise<void> {
  const index = world.random.int(0, world.stragglers.length - 1);
  const [straggler] = world.stragglers.splice(index, 1);
  if (straggler === undefined) return;
  const { instance, requests, lines } = straggler;
  const result = await tick(world.db, instance.id, requests, lines, world.now);
  assertHolds(result.events.length === 0, () => 'a late duplicate made events');
  assertHolds(result.fenced === instance.fenced, () => `late duplicate: fenced is ${result.fenced}`);
  for (const { outcome } of result.answers) {
    assertHolds(outcome === 'REPLAY', () => `a late duplicate was answered with ${outcome}`);
  }
}

/** A relay with a bug: bytes above the reservation, or a number left out. Both must be refused. */
export async function misbehave(world: World, instance: Instance): Promise<void> {
  const lease = [...instance.leases.values()].find(({ frozen }) => frozen === undefined);
  if (lease === undefined) return;
  const above = lease.granted + 3_000_000n;
  const line: TickLine = { keyId: lease.keyId, product: 'SHARED', hour: world.now, up: above, down: 0n };
  const gap: TickRequest = { keyId: lease.keyId, seq: lease.seq + 2n, want: 9_000n };
  const overdraft: TickRequest = { ...gap, seq: lease.seq + 1n };
  const [request, lines] = world.random.chance(0.5) ? [gap, []] : [overdraft, [line]];
  const result = await tick(world.db, instance.id, [request], lines, world.now);
  if (result.fenced) return;
  assertHolds(result.answers[0]?.outcome === 'REFUSED', () => `${result.answers[0]?.outcome} instead of REFUSED`);
}

import { limits } from '../../src/resolvers/ledger/limits.ts';
import { merge } from '../../src/resolvers/ledger/merge.ts';
import { post, type Posting } from '../../src/resolvers/ledger/post.ts';
import { reset } from '../../src/resolvers/ledger/reset.ts';
import { status } from '../../src/resolvers/ledger/status.ts';
import type { Subject } from '../../src/resolvers/ledger/subject.ts';
import { sql } from '../../src/database/sql.ts';
import { WINDOWS } from '../../src/units.ts';
import { assertHolds } from './failure.ts';
import { addAccount, publish, type World } from './world.ts';

const USED = sql(
  'simulationUsed',
  `select day_used as day, week_used as week, month_used as month, reserved from account where id = $1
   union all select day_used, week_used, month_used, reserved from api_key where id = $2`,
);

const SPARE = sql('simulationSpare', 'select balance - reserved as spare from account where id = $1');

function someSubject(world: World): Subject {
  const { random } = world;
  return random.chance(0.5) ? { accountId: random.pick(world.accounts).id } : { keyId: random.pick(world.keys).id };
}

/** Credit comes in, is corrected or taken back. */
export async function postSomething(world: World): Promise<void> {
  const { random } = world;
  const kind = random.pick(['DEPOSIT', 'DEPOSIT', 'ADJUSTMENT', 'REVERSAL'] as const);
  const accountId = random.pick(world.accounts).id;
  const size =
    kind === 'ADJUSTMENT'
      ? await nearSpare(world, accountId)
      : BigInt(random.int(1, random.pick([5_000, 200_000, 2_000_000])));
  if (size <= 0n) return;
  const posting: Posting = {
    id: `sim:${world.postings.length}`,
    accountId,
    kind,
    contra: kind === 'ADJUSTMENT' ? 'ADJUST' : 'CUSTODY',
    amount: kind === 'DEPOSIT' ? size : -size,
    floor: kind === 'ADJUSTMENT',
  };
  world.administrative = kind === 'REVERSAL';
  const result = await post(world.db, posting, world.now);
  publish(world, result.events);
  const fine = result.outcome === 'APPLIED' || (kind === 'ADJUSTMENT' && result.outcome === 'INSUFFICIENT');
  assertHolds(fine, () => `${result.outcome} for a new posting`);
  if (result.outcome === 'APPLIED') world.postings.push(posting);
}

/** About what a floor still lets go. */
async function nearSpare({ db, random }: World, accountId: bigint): Promise<bigint> {
  const [row] = await db.query<{ spare: bigint }>(SPARE, [accountId]);
  return (row?.spare ?? 0n) + BigInt(random.int(-40_000, 10_000));
}

/** The same posting again, the same id with another amount, and the id on another account. */
export async function postAgain(world: World): Promise<void> {
  if (world.postings.length === 0) return;
  const posting = world.random.pick(world.postings);
  const again = await post(world.db, posting, world.now);
  assertHolds(again.outcome === 'REPLAY', () => `${again.outcome} for a posting that was there`);
  const other = await post(world.db, { ...posting, amount: posting.amount + 1n }, world.now);
  assertHolds(other.outcome === 'MISMATCH', () => `${other.outcome} for another amount`);
}

/** Limits close to what is used, or faults would stay hidden. */
export async function limitSomething(world: World): Promise<void> {
  const { random } = world;
  const subject = someSubject(world);
  const [used] = await world.db.query<Record<'day' | 'week' | 'month' | 'reserved', bigint>>(USED, [
    subject.accountId ?? null,
    subject.keyId ?? null,
  ]);
  const near = (value: bigint): bigint | null => {
    if (random.chance(0.3)) return null;
    const limit = value + BigInt(random.int(random.chance(0.3) ? -20_000 : 0, random.pick([9_000, 300_000])));
    return limit < 0n ? 0n : limit;
  };
  assertHolds(used !== undefined, () => 'a subject of the simulation is not in the database');
  const window = random.pick(['day', 'week', 'month'] as const);
  world.administrative = true;
  const result = await limits(world.db, subject, { [window]: near(used[window] + used.reserved) }, world.now);
  assertHolds(result.outcome === 'APPLIED', () => 'limits not applied');
  publish(world, result.events);
}

/** Suspends, restores, revokes. */
export async function barSomething(world: World): Promise<void> {
  const { random } = world;
  const open = random.chance(0.6);
  if (random.chance(0.5)) {
    const key = random.pick(world.keys);
    key.active = open;
    publish(world, (await status(world.db, { keyId: key.id }, open, world.now)).events);
    return;
  }
  const account = random.pick(world.accounts);
  account.suspended = !open;
  publish(world, (await status(world.db, { accountId: account.id }, open, world.now)).events);
}

export async function resetSomething(world: World): Promise<void> {
  const result = await reset(world.db, someSubject(world), world.random.pick(WINDOWS), world.now);
  assertHolds(result.outcome === 'APPLIED', () => 'reset not applied');
  publish(world, result.events);
}

/** One account goes into another, and a new one takes its place. */
export async function mergeSomething(world: World): Promise<void> {
  const from = world.random.pick(world.accounts);
  const into = world.random.pick(world.accounts.filter((account) => account !== from));
  world.administrative = true;
  const result = await merge(world.db, from.id, into.id, world.now);
  assertHolds(result.outcome === 'APPLIED', () => `merge: ${result.outcome}`);
  publish(world, result.events);
  for (const key of world.keys) if (key.accountId === from.id) key.accountId = into.id;
  world.accounts.splice(world.accounts.indexOf(from), 1);
  await addAccount(world);
  const late = await post(world.db, {
    id: 'sim:late',
    accountId: from.id,
    kind: 'DEPOSIT',
    contra: 'CARD',
    amount: 1n,
  });
  assertHolds(late.outcome === 'MERGED' && late.target === into.id, () => `a merged account answers ${late.outcome}`);
}

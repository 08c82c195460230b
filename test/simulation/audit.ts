import { sql } from '../../src/database/sql.ts';
import { check, checkChain } from '../../src/resolvers/ledger/check.ts';
import { assertHolds } from './failure.ts';
import type { Tally, World } from './world.ts';

const LEASES = sql(
  'simulationLeases',
  'select l.instance_id, l.key_id, l.granted from lease l join instance i on i.id = l.instance_id and i.state = 0',
);
const HOURS = sql(
  'simulationHours',
  `select key_id || ' ' || product || ' ' as place, hour, up, down, closed from usage_hour`,
);
/** The `remaining` of a last event must be what the account's row says, while its windows are current. */
const REMAINING = sql(
  'simulationRemaining',
  `select e.account_id, e.seq from account a join usage_event e on e.account_id = a.id and e.seq = a.seq
   where a.day_start = date_trunc('day', e.at, 'UTC') and e.remaining <> greatest(0,
     least(a.balance, a.day_limit - a.day_used, a.week_limit - a.week_used, a.month_limit - a.month_used))
   union all
   select e.account_id, e.seq from account a join usage_event e on e.account_id = a.id and e.seq = a.seq
   join api_key k on k.id = e.key_id
   where k.day_start = date_trunc('day', e.at, 'UTC') and e.key_remaining is distinct from case
     when k.day_limit is null and k.week_limit is null and k.month_limit is null then null else greatest(0,
     least(k.day_limit - k.day_used, k.week_limit - k.week_used, k.month_limit - k.month_used)) end
   union all
   select a.id, a.seq from account a join account t on t.id = a.merged_into where t.merged_into is not null`,
);

/** Every invariant, after every step. */
export async function audit(world: World): Promise<void> {
  const { violations, excesses } = await check(world.db);
  assertHolds(violations.length === 0, () => violations.join('\n'));
  for (const { subject, difference } of excesses) {
    const before = world.excesses.get(subject) ?? 0n;
    assertHolds(difference <= before || world.administrative, () => `invariant 3: ${subject} above by ${difference}`);
  }
  world.excesses = new Map(excesses.map(({ subject, difference }) => [subject, difference]));
  world.administrative = false;
  await auditCeilings(world);
}

/** Invariant 7. */
async function auditCeilings(world: World): Promise<void> {
  const rows = await world.db.query<{ instance_id: string; key_id: bigint; granted: bigint }>(LEASES);
  const granted = new Map(rows.map((row) => [`${row.instance_id} ${row.key_id}`, row.granted]));
  for (const instance of world.instances) {
    if (instance.state !== 'LIVE') continue;
    for (const { keyId, ceiling } of instance.leases.values()) {
      const most = granted.get(`${instance.id} ${keyId}`) ?? 0n;
      assertHolds(ceiling <= most, () => `invariant 7: key ${keyId} may spend ${ceiling} of ${most}`);
    }
  }
}

/** Billed = applied, to the byte, per key, product and hour; and what streams say is what the rows say. */
export async function auditBytes(world: World): Promise<void> {
  assertSame(await billedBytes(world), world.executed, 'billed and settled');
  const wrong = await world.db.query<{ account_id: bigint; seq: bigint }>(REMAINING);
  assertHolds(wrong.length === 0, () => `remaining of event ${wrong[0]?.seq} of account ${wrong[0]?.account_id}`);
}

/** After everything has been settled and closed: forwarded - lost = billed, and every chain holds. */
export async function auditEnd(world: World): Promise<void> {
  await audit(world);
  const expected: Tally = new Map(world.forwarded);
  for (const [place, bytes] of world.lost) expected.set(place, (expected.get(place) ?? 0n) - bytes);
  assertSame(await billedBytes(world), expected, 'billed and forwarded');
  const broken = await checkChain(world.db);
  assertHolds(broken.length === 0, () => broken.join('\n'));
  const open = await world.db.query<{ place: string; closed: boolean }>(HOURS);
  assertHolds(
    open.every(({ closed }) => closed),
    () => 'an hour stayed open',
  );
}

async function billedBytes(world: World): Promise<Tally> {
  const rows = await world.db.query<{ place: string; hour: Date; up: bigint; down: bigint }>(HOURS);
  return new Map(
    rows.flatMap(({ place, hour, up, down }): [string, bigint][] => [
      [`${place}${hour.toISOString()} up`, up],
      [`${place}${hour.toISOString()} down`, down],
    ]),
  );
}

function assertSame(billed: Tally, expected: Tally, what: string): void {
  for (const place of new Set([...billed.keys(), ...expected.keys()])) {
    const [have, want] = [billed.get(place) ?? 0n, expected.get(place) ?? 0n];
    assertHolds(have === want, () => `${what} differ at ${place}: ${have} and ${want}`);
  }
}

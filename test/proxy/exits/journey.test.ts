import { describe, expect, test } from 'vitest';

import type { ExitStats } from '../../../src/proxy/exits/exit.ts';
import type { Departure, Journey } from '../../../src/proxy/exits/journey.ts';
import { THREE, World, type Fate } from './fixture.ts';

const [A, B, C] = ['http://a:1', 'http://b:1', 'http://c:1'];
const TARGET = '192.0.2.1';
const OWN_FAULT: Fate = ['HOST_UNREACHABLE', 'EXIT'];

describe('failover', () => {
  test('an exit at fault is left at once; the client is told nothing of it', () => {
    const world = new World(THREE);
    const { attempts, end } = world.travel(world.journey(), (exit) => (exit === C ? undefined : OWN_FAULT));
    expect([attempts, end]).toEqual([[A, B, C].map((exit) => `${exit} > ${TARGET}`), 'open']);
    expect([A, B, C].map((exit) => world.stats(exit).failures)).toEqual([1, 1, 0]);
    expect(world.stats(A).lastError).toEqual({ detail: `HOST_UNREACHABLE of ${A}`, at: new Date(0) });
  });

  test('when every exit is at fault, the fault is ours', () => {
    const world = new World(THREE);
    expect(world.travel(world.journey(), () => OWN_FAULT).end).toBe('NO_EXIT');
  });

  test('a target that refuses for itself ends the journey, and the exit has done its work', () => {
    const world = new World(THREE);
    const { attempts, end } = world.travel(world.journey(), () => ['CONNECTION_REFUSED', 'TARGET']);
    expect([attempts, end]).toEqual([[`${A} > ${TARGET}`], 'CONNECTION_REFUSED']);
    expect(world.stats(A).failures).toBe(0);
  });

  test('there are four attempts at most, and two addresses through each exit of several', () => {
    const world = new World(THREE);
    const journey = world.journey({}, ['192.0.2.1', '192.0.2.2', '192.0.2.3']);
    const { attempts, end } = world.travel(journey, () => ['TIMED_OUT', 'UNSURE']);
    expect(attempts).toEqual([`${A} > 192.0.2.1`, `${A} > 192.0.2.2`, `${B} > 192.0.2.1`, `${B} > 192.0.2.2`]);
    expect(end).toBe('TIMED_OUT');
  });

  test('a single exit tries four addresses, and stops at the first that opens', () => {
    const world = new World('direct');
    const addresses = ['1', '2', '3', '4', '5'].map((last) => `192.0.2.${last}`) as [string, ...string[]];
    const fail = world.travel(world.journey({}, addresses), () => ['CONNECTION_REFUSED', 'TARGET']);
    expect([fail.attempts.length, fail.end]).toEqual([4, 'CONNECTION_REFUSED']);
    const open = world.travel(world.journey({}, addresses), (_exit, address) =>
      address === '192.0.2.2' ? undefined : ['NETWORK_UNREACHABLE', 'UNSURE'],
    );
    expect([open.attempts.length, open.end]).toEqual([2, 'open']);
  });

  test('an address of this machine reaches its own family alone', () => {
    const world = new World('bind:192.0.2.7,bind:2001:db8::7');
    const six = world.travel(world.journey({}, ['2001:db8::1']));
    expect(six.attempts).toEqual(['bind:2001:db8::7 > 2001:db8::1']);
    expect(world.travel(world.journey({}, ['192.0.2.1'])).attempts).toEqual(['bind:192.0.2.7 > 192.0.2.1']);
    const four = new World('bind:192.0.2.7');
    expect(four.travel(four.journey({}, ['2001:db8::1']))).toEqual({ attempts: [], end: 'NETWORK_UNREACHABLE' });
  });
});

describe('time', () => {
  test('all attempts share it', () => {
    const world = new World(THREE);
    const journey = world.journey({}, [TARGET], 10_000);
    expect(journey.next()?.timeoutMs).toBe(5_000);
    world.now = 5_000;
    journey.failed({ failure: 'TIMED_OUT', blame: 'UNSURE', detail: '' });
    expect(journey.next()?.timeoutMs).toBe(2_500);
    world.now = 7_500;
    journey.failed({ failure: 'TIMED_OUT', blame: 'UNSURE', detail: '' });
    expect(journey.next()?.timeoutMs).toBe(2_500);
    world.now = 10_000;
    journey.failed({ failure: 'TIMED_OUT', blame: 'UNSURE', detail: '' });
    expect([journey.next(), journey.failure]).toEqual([undefined, 'TIMED_OUT']);
  });

  test('one exit and one address have all of it', () => {
    const world = new World('direct');
    expect(world.journey().next()?.timeoutMs).toBe(10_000);
  });

  test('when it is over nothing more is tried', () => {
    const world = new World(THREE);
    const journey = world.journey();
    journey.next();
    world.now = 10_000;
    journey.failed({ failure: 'HOST_UNREACHABLE', blame: 'EXIT', detail: '' });
    expect([journey.next(), journey.failure]).toEqual([undefined, 'TIMED_OUT']);
  });
});

describe('blame', () => {
  const doubtful: Fate = ['HOST_UNREACHABLE', 'UNSURE'];

  test('a doubt is held against an exit when another one reaches the same target', () => {
    const world = new World(THREE);
    const { end } = world.travel(world.journey(), (exit) => (exit === A ? doubtful : undefined));
    expect([end, world.stats(A).failures, world.stats(A).lastError?.detail]).toEqual([
      'open',
      1,
      `HOST_UNREACHABLE of ${A}`,
    ]);
  });

  test('targets that no exit reaches take no exit out of service', () => {
    const world = new World(THREE);
    for (let count = 0; count < 20; count++) {
      expect(world.travel(world.journey(), () => doubtful).end).toBe('HOST_UNREACHABLE');
    }
    for (const exit of [A, B, C]) expect(world.stats(exit)).toMatchObject({ state: 'HEALTHY', failures: 0 });
  });

  test('a doubt about one address is not held against an exit when another address answers', () => {
    const world = new World('http://a:1');
    world.travel(world.journey({}, ['192.0.2.1', '192.0.2.2']), (_exit, address) =>
      address === '192.0.2.1' ? doubtful : undefined,
    );
    expect(world.stats(A).failures).toBe(0);
  });
});

describe('quarantine', () => {
  const onlyAFails = (exit: string): Fate => (exit === A ? OWN_FAULT : undefined);

  test('an exit that fails three times in a row is left alone, then probed by one connection', () => {
    const world = new World(`${A},${B}`);
    const go = (): string[] => world.travel(world.journey(), onlyAFails).attempts;
    const all = [`${A} > ${TARGET}`, `${B} > ${TARGET}`];
    for (let count = 0; count < 3; count++) expect(go()).toEqual(all);
    expect(world.stats(A).state).toBe('QUARANTINED');
    expect(world.stats(A).retryAt).toEqual(new Date(1_000));
    expect(go()).toEqual([`${B} > ${TARGET}`]);
    world.now = 1_000;
    const probe = world.journey();
    expect(probe.next()?.spec.label).toBe(A);
    expect(world.stats(A).state).toBe('PROBING');
    expect(go()).toEqual([`${B} > ${TARGET}`]);
    probe.opened();
    expect(world.stats(A).state).toBe('HEALTHY');
    expect(new Set([world.leave(), world.leave()])).toEqual(new Set([A, B]));
  });

  test('a probe that is the last attempt, with addresses left, is given back', () => {
    const world = new World(THREE);
    const others = (exit: string): Fate => (exit === C ? OWN_FAULT : undefined);
    while (world.stats(C).state === 'HEALTHY') world.travel(world.journey(), others);
    world.now = 1_000;
    for (;;) {
      const { attempts } = world.travel(world.journey({}, ['192.0.2.1', '192.0.2.2']), (exit) =>
        exit === A ? OWN_FAULT : ['TIMED_OUT', 'UNSURE'],
      );
      if (attempts.at(-1) === `${C} > 192.0.2.1`) break;
    }
    expect(world.stats(C).state).toBe('QUARANTINED');
    expect(new Set([world.leave(), world.leave(), world.leave()])).toContain(C);
  });

  test('a probe that fails goes on through another exit', () => {
    const world = new World(`${A},${B}`);
    for (let count = 0; count < 3; count++) world.travel(world.journey(), onlyAFails);
    world.now = 1_000;
    expect(world.travel(world.journey(), onlyAFails).end).toBe('open');
    expect(world.stats(A).retryAt).toEqual(new Date(3_000));
  });

  test('a client that leaves during the probe makes room for the next one', () => {
    const world = new World(`${A},${B}`);
    for (let count = 0; count < 3; count++) world.travel(world.journey(), onlyAFails);
    world.now = 1_000;
    const probe = world.journey();
    expect(probe.next()?.spec.label).toBe(A);
    probe.abandoned();
    expect(probe.next()).toBeUndefined();
    expect([world.journey(), world.journey()].map((journey) => journey.next()?.spec.label)).toContain(A);
  });

  test('when none is fit the one whose pause ends first is tried: refusing would help nobody', () => {
    const world = new World(`${A},${B}`);
    for (let count = 0; count < 3; count++) world.travel(world.journey(), () => OWN_FAULT);
    expect([world.stats(A).state, world.stats(B).state]).toEqual(['QUARANTINED', 'QUARANTINED']);
    expect(world.travel(world.journey(), () => OWN_FAULT)).toEqual({ attempts: [`${A} > ${TARGET}`], end: 'NO_EXIT' });
    expect(world.travel(world.journey()).end).toBe('open');
    expect(world.stats(A).state).toBe('HEALTHY');
  });
});

test('the figures of an exit: open, opened, latency', () => {
  const world = new World('direct');
  const open = (tookMs: number) => {
    const journey = world.journey();
    journey.next();
    world.now += tookMs;
    return journey.opened();
  };
  open(100);
  const second = open(200);
  second.closed();
  expect(world.pool.stats).toEqual([
    {
      ...{ id: 'direct', kind: 'DIRECT', state: 'HEALTHY', drained: false, accountIds: [] },
      ...{ connections: 1, opened: 2, failures: 0, lastError: undefined, latencyMs: 120, retryAt: undefined },
    },
  ]);
});

/** Journeys of the simulation, over several pools. */
const JOURNEYS = 20_000;

test('whatever exits and targets do, journeys end, figures add up, and an exit that works again is used again', () => {
  const seed = Math.floor(Math.random() * 2 ** 31);
  let state = seed;
  const random = (below: number): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
    return (state >>> 8) % below;
  };
  const world = new World(`${THREE},direct,bind:192.0.2.7`);
  const exits = world.pool.stats.map(({ id }) => id);
  const fates: readonly Fate[] = [undefined, OWN_FAULT, ['TIMED_OUT', 'UNSURE'], ['CONNECTION_REFUSED', 'TARGET']];
  let habits = new Map<string, Fate>();
  const under: { journey: Journey; done: number }[] = [];
  const open: Departure[] = [];
  for (let count = 0; count < JOURNEYS; count++) {
    world.now += random(200);
    if (count % 100 === 0) habits = new Map(exits.map((exit) => [exit, fates[random(fates.length)]]));
    const journey = world.journey({ ...(random(2) === 0 && { session: `s${random(50)}` }) }, [
      `192.0.2.${1 + random(9)}`,
    ]);
    under.push({ journey, done: 0 });
    const one = under[random(under.length)];
    if (one === undefined) continue;
    const attempt = random(20) === 0 ? undefined : one.journey.next();
    const fate = attempt === undefined ? undefined : habits.get(attempt.spec.label);
    if (attempt === undefined) one.journey.abandoned();
    else if (fate === undefined) open.push(one.journey.opened());
    else one.journey.failed({ failure: fate[0], blame: fate[1], detail: '' });
    expect(++one.done, `seed ${seed}`).toBeLessThanOrEqual(5);
    if (attempt === undefined || fate === undefined) under.splice(under.indexOf(one), 1);
  }
  for (const { journey } of under) journey.abandoned();
  const sum = (figure: (exit: ExitStats) => number): number =>
    world.pool.stats.reduce((total, exit) => total + figure(exit), 0);
  expect([sum(({ connections }) => connections), sum(({ opened }) => opened)]).toEqual([open.length, open.length]);
  for (const departure of open) departure.closed();
  expect(sum(({ connections }) => connections)).toBe(0);
  world.now += 300_000;
  for (let count = 0; count < exits.length; count++) world.leave();
  expect(world.pool.stats.map((exit) => [exit.id, exit.state])).toEqual(exits.map((exit) => [exit, 'HEALTHY']));
});

import { describe, expect, test } from 'vitest';

import { Sessions } from '../../../src/proxy/exits/sessions.ts';
import { specs, THREE, World } from './fixture.ts';

const [A, B, C] = ['http://a:1', 'http://b:1', 'http://c:1'];
const times = <T>(count: number, act: () => T): T[] => Array.from({ length: count }, act);

describe('rotation', () => {
  test('connections take the exits in turn', () => {
    const world = new World(THREE);
    expect(times(6, () => world.leave())).toEqual([A, B, C, A, B, C]);
  });

  test('a drained exit takes nobody new, keeps what it has, and comes back', () => {
    const world = new World(THREE);
    const { departure } = world.travel(world.journey());
    expect(world.pool.drain('http://nobody:1')).toBe(false);
    expect(world.pool.drain(A)).toBe(true);
    expect(times(4, () => world.leave())).toEqual([C, B, C, B]);
    expect([world.stats(A).drained, world.stats(A).connections]).toEqual([true, 1]);
    departure?.closed();
    expect(world.stats(A).connections).toBe(0);
    world.pool.drain(A, false);
    expect(times(3, () => world.leave())).toEqual([B, C, A]);
  });

  test('with every exit drained nobody leaves', () => {
    const world = new World('direct');
    world.pool.drain('direct');
    expect(world.travel(world.journey())).toEqual({ attempts: [], end: 'NO_EXIT' });
  });

  test('an exit can be added once', () => {
    const world = new World('direct');
    const [added] = specs('bind:192.0.2.7');
    if (added === undefined) throw new Error('no exit');
    expect([world.pool.add(added), world.pool.add(added)]).toEqual([true, false]);
    expect(times(3, () => world.leave())).toEqual(['direct', 'bind:192.0.2.7', 'direct']);
  });
});

describe('removal', () => {
  test('a removed exit takes nobody new, and what it has closes as ever', () => {
    const world = new World(THREE);
    const { departure } = world.travel(world.journey());
    expect([world.pool.remove(A), world.pool.remove(A)]).toEqual([true, false]);
    expect(new Set(times(4, () => world.leave()))).toEqual(new Set([B, C]));
    departure?.closed();
    expect(world.pool.stats.map(({ id }) => id)).toEqual([B, C]);
  });

  test('sessions move to another exit and stay there, also when one of that name comes back', () => {
    const world = new World(THREE);
    expect(world.leave({ session: 's' })).toBe(A);
    world.pool.remove(A);
    const [next] = times(1, () => world.leave({ session: 's' }));
    expect(times(3, () => world.leave({ session: 's' }))).toEqual([next, next, next]);
    const [again] = specs(A);
    if (again !== undefined) world.pool.add(again);
    expect(world.leave({ session: 's' })).toBe(next);
    expect(world.stats(A)).toMatchObject({ connections: 0, opened: 0 });
  });

  test('an account whose last own exit is removed is one of everybody again', () => {
    const world = new World(THREE);
    world.pool.assign(B, [7n]);
    world.pool.remove(B);
    expect(new Set(times(4, () => world.leave({ account: 7n })))).toEqual(new Set([A, C]));
  });

  test('without any exit nobody leaves', () => {
    const world = new World('direct');
    world.pool.remove('direct');
    expect(world.travel(world.journey())).toEqual({ attempts: [], end: 'NO_EXIT' });
  });
});

describe('assignment', () => {
  test('who has exits of its own uses those, and nobody else does', () => {
    const world = new World(THREE);
    expect(world.pool.assign('http://nobody:1', [1n])).toBe(false);
    world.pool.assign(B, [7n]);
    expect(times(3, () => world.leave({ account: 7n }))).toEqual([B, B, B]);
    expect(times(4, () => world.leave({ account: 8n }))).toEqual([A, C, A, C]);
    expect(world.stats(B).accountIds).toEqual([7n]);
    world.pool.assign(B, []);
    expect(new Set(times(3, () => world.leave({ account: 7n })))).toEqual(new Set([A, B, C]));
  });

  test('where every exit is somebody else’s nobody leaves', () => {
    const world = new World('direct');
    world.pool.assign('direct', [7n]);
    expect(world.travel(world.journey({ account: 8n }))).toEqual({ attempts: [], end: 'NO_EXIT' });
  });

  test('a session leaves an exit that is no longer its account’s', () => {
    const world = new World(THREE);
    expect(world.leave({ session: 's' })).toBe(A);
    world.pool.assign(A, [7n]);
    expect(times(2, () => world.leave({ session: 's' }))).toEqual([C, C]);
  });
});

describe('sessions', () => {
  test('a session keeps its exit, those of other names and keys have their own', () => {
    const world = new World(THREE);
    expect(times(3, () => world.leave({ session: 's' }))).toEqual([A, A, A]);
    expect(times(2, () => world.leave({ session: 'S' }))).toEqual([B, B]);
    expect(times(2, () => world.leave({ session: 's', key: 2n }))).toEqual([C, C]);
    expect(world.leave({ session: 's' })).toBe(A);
  });

  test('connections that begin together leave together', () => {
    const world = new World(THREE);
    const journeys = times(3, () => world.journey({ session: 's' }));
    expect(journeys.map((journey) => journey.next()?.spec.label)).toEqual([A, A, A]);
  });

  test('it ends its time after it began, however much it is used', () => {
    const world = new World(THREE);
    const leave = (): string | undefined => world.leave({ session: 's', ttlMs: 60_000 });
    expect(leave()).toBe(A);
    world.now = 59_999;
    expect(leave()).toBe(A);
    world.now = 60_000;
    expect(leave()).toBe(B);
    world.now = 119_999;
    expect(leave()).toBe(B);
  });

  test('it moves when its exit drains, and stays where it went, for the rest of its time', () => {
    const world = new World(THREE);
    const client = { session: 's', ttlMs: 60_000 };
    expect(world.leave(client)).toBe(A);
    world.now = 30_000;
    world.pool.drain(A);
    expect(times(2, () => world.leave(client))).toEqual([C, C]);
    world.pool.drain(A, false);
    expect(world.leave(client)).toBe(C);
    world.now = 60_000;
    expect([world.leave(), world.leave(client)]).toEqual([C, A]);
  });

  test('it moves when its exit fails, before the client has a reply', () => {
    const world = new World(THREE);
    expect(world.leave({ session: 's' })).toBe(A);
    const { attempts, end } = world.travel(world.journey({ session: 's' }), (exit) =>
      exit === A ? ['HOST_UNREACHABLE', 'EXIT'] : undefined,
    );
    expect([attempts, end]).toEqual([[`${A} > 192.0.2.1`, `${B} > 192.0.2.1`], 'open']);
    expect(world.leave({ session: 's' })).toBe(B);
  });

  test('what is remembered is bounded, per key and altogether', () => {
    const sessions = new Sessions<string>();
    const pin = (keyId: bigint, id: string): void => sessions.pin(keyId, { id, ttlMs: 1_000 }, id, 0);
    const find = (keyId: bigint, id: string): string | undefined => sessions.find(keyId, { id, ttlMs: 1_000 }, 0);
    for (let index = 0; index < 1_024; index++) pin(1n, `s${index}`);
    expect(find(1n, 's0')).toBe('s0');
    pin(1n, 'one more');
    expect([sessions.size, find(1n, 's0'), find(1n, 's1')]).toEqual([1_024, 's0', undefined]);
    for (let key = 2n; key <= 64n; key++) for (let index = 0; index < 1_024; index++) pin(key, `s${index}`);
    expect(sessions.size).toBe(65_536);
    find(1n, 's0');
    pin(65n, 'of another key');
    expect([sessions.size, find(1n, 's0'), find(2n, 's0'), find(2n, 's1')]).toEqual([65_536, 's0', undefined, 's1']);
  });
});

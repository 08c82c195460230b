import { networkInterfaces } from 'node:os';

import { describe, expect, test } from 'vitest';

import { createFence, type Resolved } from '../src/egress.ts';
import { systemLookup } from '../src/names.ts';

const FORBIDDEN: Resolved = { failure: 'EGRESS_FORBIDDEN' };

/** A fence whose name server answers from a table, and counts. */
function fenceWith(names: Record<string, readonly string[]>, allow: readonly string[] = []) {
  const asked: string[] = [];
  const fence = createFence({
    allow,
    lookup: async (name) => {
      asked.push(name);
      return names[name] ?? [];
    },
  });
  return { fence, asked };
}

const CLOSED_ADDRESSES = [
  ...['127.0.0.1', '127.255.255.254', '10.0.0.1', '172.16.0.1', '172.31.255.255', '192.168.1.1', '100.64.0.1'],
  ...['100.127.255.255', '169.254.1.1', '169.254.169.254', '168.63.129.16', '0.0.0.0', '0.1.2.3', '192.0.0.8'],
  ...['192.0.2.1', '198.51.100.1', '203.0.113.1', '198.18.0.1', '192.88.99.1', '224.0.0.1', '239.255.255.255'],
  ...['240.0.0.1', '255.255.255.255', '::', '::1', '::7f00:1', '::8.8.8.8', '::ffff:127.0.0.1', '::ffff:10.0.0.1'],
  ...['::ffff:a9fe:a9fe', '64:ff9b::127.0.0.1', '64:ff9b::a00:1', '64:ff9b::169.254.169.254', '64:ff9b:1::1'],
  ...['2002:7f00:1::', '2002:808:808::', '2001:0:1::1', '2001:db8::1', '3fff::1', '2001:10::1', '100::1', '5f00::1'],
  ...['fc00::1', 'fd00:ec2::254', 'fe80::1', 'fec0::1', 'ff02::1', 'ff0e::1', '4000::1'],
];

const OPEN_ADDRESSES: readonly [string, string][] = [
  ['1.1.1.1', '1.1.1.1'],
  ['172.32.0.1', '172.32.0.1'],
  ['100.128.0.1', '100.128.0.1'],
  ['2606:4700::1111', '2606:4700:0:0:0:0:0:1111'],
  ['::ffff:8.8.8.8', '8.8.8.8'],
  ['64:ff9b::8.8.8.8', '64:ff9b:0:0:0:0:808:808'],
];

describe('literals', () => {
  test.each(CLOSED_ADDRESSES)('%s is refused, as a literal and as the address of a name', async (address) => {
    const { fence, asked } = fenceWith({ 'name.test': [address] });
    expect(await fence.resolve(address, 80)).toEqual(FORBIDDEN);
    expect(await fence.resolve(`[${address}]`, 80)).toEqual(FORBIDDEN);
    expect(fence.permits(address, 80)).toBe(false);
    expect(asked).toEqual([]);
    expect(await fence.resolve('name.test', 80)).toEqual(FORBIDDEN);
  });

  test.each(OPEN_ADDRESSES)('%s is dialled as %s', async (address, dialled) => {
    const { fence } = fenceWith({});
    expect(await fence.resolve(address, 443)).toEqual({ addresses: [dialled] });
    expect(fence.permits(address, 443)).toBe(true);
  });

  const LOOPBACK = [
    '127.1',
    '127.0.1',
    '2130706433',
    '0x7f000001',
    '0X7F.1',
    '0177.0.0.1',
    '017700000001',
    '127.0.0.1.',
  ];
  test.each(LOOPBACK)('%s is 127.0.0.1', async (text) => {
    const { fence, asked } = fenceWith({});
    expect(await fence.resolve(text, 80)).toEqual(FORBIDDEN);
    const { fence: opened } = fenceWith({}, ['127.0.0.1']);
    expect(await opened.resolve(text, 80)).toEqual({ addresses: ['127.0.0.1'] });
    expect(asked).toEqual([]);
  });

  test.each(['1.2.3.256', '256.1', '4294967296', '08.1.1.1', '1.2.3.4.5', '0x', '1..2', '', '.'])(
    '%j is no address, and never asked for as a name',
    async (text) => {
      const { fence, asked } = fenceWith({});
      expect(await fence.resolve(text, 80)).toEqual({ failure: 'NOT_FOUND' });
      expect(asked).toEqual([]);
    },
  );

  test.each(['fe80::1%lo', '::1%lo', '127.0.0.1%lo'])('%s with a zone is refused', async (text) => {
    const { fence } = fenceWith({}, ['::/0', '0.0.0.0/0']);
    expect(await fence.resolve(text, 80)).toEqual(FORBIDDEN);
    expect(fence.permits(text, 80)).toBe(false);
  });
});

describe('names', () => {
  test('are asked for without their trailing dot, in lower case', async () => {
    const { fence, asked } = fenceWith({ 'example.test': ['1.1.1.1'] });
    expect(await fence.resolve('EXAMPLE.test.', 80)).toEqual({ addresses: ['1.1.1.1'] });
    expect(asked).toEqual(['example.test']);
  });

  test('only permitted addresses are offered', async () => {
    const { fence } = fenceWith({ 'mixed.test': ['10.0.0.1', '1.1.1.1', '::1', '8.8.8.8'] });
    expect(await fence.resolve('mixed.test', 80)).toEqual({ addresses: ['1.1.1.1', '8.8.8.8'] });
  });

  test('a name that changes is judged by the answer that is dialled', async () => {
    const answers = [['1.1.1.1'], ['127.0.0.1']];
    const fence = createFence({ lookup: async () => answers.shift() ?? [] });
    expect(await fence.resolve('rebind.test', 80)).toEqual({ addresses: ['1.1.1.1'] });
    expect(await fence.resolve('rebind.test', 80)).toEqual(FORBIDDEN);
  });

  test('unknown, failing and silent are told apart', async () => {
    const fence = createFence({
      lookupTimeoutMs: 20,
      lookup: (name) => {
        if (name === 'unknown.test') return Promise.resolve([]);
        return name === 'silent.test' ? new Promise(() => undefined) : Promise.reject(new Error('SERVFAIL'));
      },
    });
    expect(await fence.resolve('unknown.test', 80)).toEqual({ failure: 'NOT_FOUND' });
    expect(await fence.resolve('broken.test', 80)).toEqual({ failure: 'LOOKUP_FAILED' });
    expect(await fence.resolve('silent.test', 80)).toEqual({ failure: 'LOOKUP_FAILED' });
  });

  test('lookups are bounded, and every one has its turn', async () => {
    let running = 0;
    let most = 0;
    const fence = createFence({
      lookup: async () => {
        most = Math.max(most, ++running);
        await new Promise((resolve) => setImmediate(resolve));
        running--;
        return ['1.1.1.1'];
      },
    });
    const all = await Promise.all(Array.from({ length: 2_000 }, (_, index) => fence.resolve(`n${index}.test`, 80)));
    expect(all.every((resolved) => 'addresses' in resolved)).toBe(true);
    expect(most).toBe(256);
  });

  /** A fence over name servers that answer only when they are told to, and what they were asked. */
  function silentFence(lookupTimeoutMs = 60_000) {
    const asked: string[] = [];
    const answers: (() => void)[] = [];
    const fence = createFence({
      lookupTimeoutMs,
      lookup: (name) => {
        asked.push(name);
        return new Promise((resolve) => answers.push(() => resolve(['1.1.1.1'])));
      },
    });
    const many = (count: number, of: string, asker: bigint): Promise<Resolved[]> =>
      Promise.all(Array.from({ length: count }, (_, index) => fence.resolve(`${of}${index}.test`, 80, asker)));
    /** Has everything answered, and what begins then. */
    const release = async (): Promise<void> => {
      for (let answer = answers.shift(); answer !== undefined; answer = answers.shift()) {
        answer();
        await new Promise((resolve) => setImmediate(resolve));
      }
    };
    return { fence, asked, answers, many, release };
  }

  test('one asker has so many lookups at once, and the others have theirs', async () => {
    const { asked, many, release } = silentFence();
    const greedy = many(100, 'greedy', 1n);
    const modest = many(5, 'modest', 2n);
    expect(asked.filter((name) => name.startsWith('greedy'))).toHaveLength(32);
    expect(asked.filter((name) => name.startsWith('modest'))).toHaveLength(5);
    await release();
    expect([...(await greedy), ...(await modest)].every((resolved) => 'addresses' in resolved)).toBe(true);
    expect(asked).toHaveLength(105);
  });

  test('when all lookups are taken, askers have their turns one after the other', async () => {
    const { asked, answers, many, release } = silentFence();
    const all = Array.from({ length: 8 }, (_, index) => many(100, `g${index}-`, BigInt(index)));
    expect(asked).toHaveLength(256);
    all.push(many(2, 'late', 100n));
    // The first asker's places are free: the others have no room for more, so that the late one begins.
    for (const answer of answers.splice(0, 2)) answer();
    await new Promise((resolve) => setImmediate(resolve));
    expect(asked.slice(256).toSorted()).toEqual(['g0-32.test', 'late0.test']);
    await release();
    await Promise.all(all);
    expect(asked).toHaveLength(802);
  });

  test('one asker has so many waiting, and what is more fails at once', async () => {
    const { many, release, asked } = silentFence();
    const all = many(32 + 1_024 + 10, 'n', 1n);
    const other = many(1, 'other', 2n);
    await release();
    const failed = (await all).flatMap((resolved, index) => ('failure' in resolved ? [index] : []));
    expect(failed).toEqual(Array.from({ length: 10 }, (_, index) => 32 + 1_024 + index));
    expect([(await other).length, asked.length]).toEqual([1, 32 + 1_024 + 1]);
  });

  test('what has waited too long is never begun', async () => {
    const { asked, many, release } = silentFence(20);
    expect(await many(100, 'n', 1n)).toEqual(Array.from({ length: 100 }, () => ({ failure: 'LOOKUP_FAILED' })));
    await release();
    expect(asked).toHaveLength(32);
  });

  test('localhost is this machine, without asking anybody', async () => {
    const lookup = systemLookup('/nonexistent');
    expect(await lookup('localhost')).toEqual(['127.0.0.1', '::1']);
    expect(await lookup('app.localhost')).toEqual(['127.0.0.1', '::1']);
  });
});

describe('EGRESS_ALLOW', () => {
  test('opens what it names, and no more', async () => {
    const { fence } = fenceWith({ 'inside.test': ['10.1.2.3'] }, ['10.1.0.0/16', 'fd00::/8', '::1']);
    expect(await fence.resolve('inside.test', 80)).toEqual({ addresses: ['10.1.2.3'] });
    expect(await fence.resolve('::ffff:10.1.2.3', 80)).toEqual({ addresses: ['10.1.2.3'] });
    expect(fence.permits('10.2.0.1', 80)).toBe(false);
    expect(fence.permits('fd12::1', 80)).toBe(true);
    expect(fence.permits('::1', 80)).toBe(true);
    expect(fence.permits('fe80::1', 80)).toBe(false);
    expect(fence.opened('10.1.0.1')).toBe(true);
    expect(fence.opened('1.1.1.1')).toBe(false);
  });

  test.each(['nonsense', '10.0.0.0/33', '10.0.0.0/', '10.0.0/8', '::/129', '1.1.1.1/-1', 'fe80::%lo/10', ''])(
    '%j is no CIDR',
    (text) => {
      expect(() => createFence({ allow: [text] })).toThrow(RangeError);
    },
  );
});

describe('our own listeners', () => {
  const EVERYTHING = ['0.0.0.0/0', '::/0'];
  const permits = (listener: string, address: string, port = 1080): boolean =>
    createFence({ allow: EVERYTHING, own: () => [{ address: listener, port: 1080 }] }).permits(address, port);

  test.each([
    ['127.0.0.1', ['127.0.0.1', '0.0.0.0', '::', '::ffff:127.0.0.1', '64:ff9b::127.0.0.1']],
    ['::1', ['::1', '::', '0.0.0.0']],
    ['0.0.0.0', ['127.0.0.1', '127.9.9.9', '0.0.0.0', '::ffff:127.0.0.2']],
    ['::', ['::1', '127.0.0.1', '127.9.9.9', '::', '0.0.0.0']],
    ['1.2.3.4', ['1.2.3.4', '::ffff:1.2.3.4', '64:ff9b::1.2.3.4']],
  ])('bound to %s is reached at none of its addresses', (listener, addresses) => {
    for (const address of addresses) expect([address, permits(listener, address)]).toEqual([address, false]);
    for (const address of addresses) expect([address, permits(listener, address, 1081)]).toEqual([address, true]);
  });

  test('bound to every address: none of the machine’s own either', () => {
    const addresses = Object.values(networkInterfaces()).flatMap((list) => (list ?? []).map((entry) => entry.address));
    for (const address of addresses) expect([address, permits('::', address)]).toEqual([address, false]);
  });

  test('another address of the loopback network is another listener', () => {
    expect(permits('127.0.0.1', '127.0.0.2')).toBe(true);
  });
});

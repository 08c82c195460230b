import { randomInt } from 'node:crypto';
import { once } from 'node:events';

import { Redis } from 'ioredis';
import { describe, expect, test } from 'vitest';

import { parseConfig } from '../src/config.ts';
import { throttleRedis } from '../src/openEvents.ts';
import { Teardown } from '../src/teardown.ts';
import {
  createThrottle,
  MAX_FAILED_SIGN_INS,
  MAX_MAILS_ASKED,
  MAX_MAILS_OF_CLIENT,
  MAX_REVEALS,
  MAX_SECRET_CHANGES,
} from '../src/throttle.ts';
import { freezable } from './harness/frozen.ts';
import { hasRedis, redis } from './harness/services.ts';

const MAX_FAILURES = 3;
const WINDOW_SECONDS = 900;

const times = async <T>(count: number, act: () => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: count }, act));

test('an account may reveal so many secrets within 15 minutes, and is told how long to wait', async () => {
  const throttle = createThrottle(MAX_FAILURES);
  expect(MAX_REVEALS).toBe(30);
  const answers = await times(MAX_REVEALS + 2, () => throttle.reveal(1n));
  expect(answers.slice(0, MAX_REVEALS)).toEqual(Array.from({ length: MAX_REVEALS }, () => undefined));
  for (const wait of answers.slice(MAX_REVEALS)) {
    expect(wait).toBeGreaterThan(WINDOW_SECONDS - 60);
    expect(wait).toBeLessThanOrEqual(WINDOW_SECONDS);
  }
  expect(await throttle.reveal(2n)).toBeUndefined();
});

test('an account may give its keys so many new secrets within 15 minutes; reveals are counted apart', async () => {
  const throttle = createThrottle(MAX_FAILURES);
  expect(MAX_SECRET_CHANGES).toBe(30);
  const answers = await times(MAX_SECRET_CHANGES + 1, () => throttle.changeSecret(1n));
  expect(answers.filter((wait) => wait === undefined)).toHaveLength(MAX_SECRET_CHANGES);
  expect(answers.at(-1)).toBeGreaterThan(WINDOW_SECONDS - 60);
  expect(await throttle.changeSecret(2n)).toBeUndefined();
  expect(await throttle.reveal(1n)).toBeUndefined();
});

test('reveals and failures are counted apart, also under the same name', async () => {
  const throttle = createThrottle(MAX_FAILURES);
  await times(MAX_REVEALS + 1, () => throttle.reveal(1n));
  expect(await throttle.blockedFor('', '1')).toBeUndefined();
  expect(await throttle.blockedFor('1', '')).toBeUndefined();
  await times(MAX_FAILURES, () => throttle.failed('2', ''));
  expect(await throttle.blockedFor('2', '')).toBeGreaterThan(0);
  expect(await throttle.reveal(2n)).toBeUndefined();
  await throttle.succeeded('1', '');
  expect(await throttle.reveal(1n)).toBeGreaterThan(0);
});

test('a client may ask for so many mails to one address within 15 minutes, which are no failures', async () => {
  const throttle = createThrottle(MAX_FAILURES);
  expect(MAX_MAILS_ASKED).toBe(5);
  const answers = await times(MAX_MAILS_ASKED + 1, () => throttle.askMail('192.0.2.1', 'person@example.com'));
  expect(answers.filter((wait) => wait === undefined)).toHaveLength(MAX_MAILS_ASKED);
  expect(answers.at(-1)).toBeGreaterThan(WINDOW_SECONDS - 60);
  expect(await throttle.askMail('192.0.2.2', 'person@example.com')).toBeUndefined();
  expect(await throttle.askMail('192.0.2.1', 'other@example.com')).toBeUndefined();
  expect(await throttle.blockedFor('192.0.2.1', 'person@example.com')).toBeUndefined();
  await throttle.succeeded('192.0.2.1', 'person@example.com');
  expect(await throttle.askMail('192.0.2.1', 'person@example.com')).toBeGreaterThan(0);
});

test('over all addresses a client may ask for so many mails; what is refused for one address counts for no other', async () => {
  const throttle = createThrottle(MAX_FAILURES);
  await times(MAX_MAILS_ASKED + 100, () => throttle.askMail('192.0.2.1', 'person@example.com'));
  const to = (number: number) => throttle.askMail('192.0.2.1', `person-${number}@example.com`);
  // The hundred came at once, so that they counted; one after another they do not.
  expect(await to(0)).toBeGreaterThan(WINDOW_SECONDS - 60);
  const calm = (number: number) => throttle.askMail('192.0.2.2', `person-${number % 2}@example.com`);
  for (let number = 0; number < 100; number += 1) await calm(number);
  let allowed = 2 * MAX_MAILS_ASKED;
  while ((await throttle.askMail('192.0.2.2', `other-${allowed}@example.com`)) === undefined) allowed += 1;
  expect(allowed).toBe(MAX_MAILS_OF_CLIENT);
});

describe('sign-ins of one client', () => {
  test('may fail so often over all subjects, also many at once; those that did not fail are taken back', async () => {
    const throttle = createThrottle(MAX_FAILURES);
    const begin = () => throttle.beginSignIn('192.0.2.1');
    for (let round = 0; round < 3; round += 1) {
      const answers = await times(MAX_FAILED_SIGN_INS + 50, begin);
      expect(answers.filter((wait) => wait === undefined)).toHaveLength(MAX_FAILED_SIGN_INS);
      expect(answers.at(-1)).toBeGreaterThan(WINDOW_SECONDS - 60);
      await times(MAX_FAILED_SIGN_INS, () => throttle.forgiveSignIn('192.0.2.1'));
    }
    expect(await begin()).toBeUndefined();
    expect(await throttle.beginSignIn('192.0.2.2')).toBeUndefined();
  });

  test('may fail more often where one subject may', async () => {
    const throttle = createThrottle(MAX_FAILED_SIGN_INS + 1);
    const answers = await times(MAX_FAILED_SIGN_INS + 2, () => throttle.beginSignIn('192.0.2.1'));
    expect(answers.filter((wait) => wait === undefined)).toHaveLength(MAX_FAILED_SIGN_INS + 1);
  });

  test('do not depend on API keys that fail', async () => {
    const throttle = createThrottle(MAX_FAILURES);
    const keys = Array.from({ length: MAX_FAILED_SIGN_INS * 2 }, (_, key) => `lpf_${key}`);
    await Promise.all(keys.map((key) => throttle.failed('192.0.2.1', key)));
    expect(await throttle.beginSignIn('192.0.2.1')).toBeUndefined();
  });
});

describe.skipIf(!hasRedis())('with Redis', () => {
  test('a Redis that falls silent does not keep anybody waiting', async () => {
    const server = await redis();
    if (server === undefined) throw new Error('Redis did not start');
    const way = await freezable(Number(new URL(server.url).port));
    const teardown = new Teardown();
    try {
      const connection = throttleRedis(parseConfig({ REDIS_URL: `redis://127.0.0.1:${way.port}` }), teardown);
      if (connection === undefined) throw new Error('there is one');
      await once(connection, 'ready');
      const throttle = createThrottle(MAX_FAILURES, connection);
      const account = BigInt(randomInt(2 ** 47));
      expect(await throttle.reveal(account)).toBeUndefined();
      way.freeze();
      const started = performance.now();
      await times(MAX_REVEALS, () => throttle.reveal(account));
      expect(await throttle.reveal(account)).toBeGreaterThan(0);
      expect(performance.now() - started).toBeLessThan(2_000);
    } finally {
      await teardown.run();
      await way[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    }
  });

  test('the instances of a fleet count together, and go on alone while it is away', async () => {
    const server = await redis();
    if (server === undefined) throw new Error('Redis did not start');
    const connections = [1, 2].map(
      () => new Redis(server.url, { enableOfflineQueue: false, maxRetriesPerRequest: 1, lazyConnect: true }),
    );
    // The server may be one that outlives this test.
    const [mine, theirs] = [BigInt(randomInt(2 ** 47)), BigInt(randomInt(2 ** 47))];
    try {
      await Promise.all(connections.map((connection) => connection.connect()));
      const [one, other] = connections.map((connection) => createThrottle(MAX_FAILURES, connection));
      if (one === undefined || other === undefined) throw new Error('there are two');
      await times(MAX_REVEALS, () => one.reveal(mine));
      expect(await other.reveal(mine)).toBeGreaterThan(0);
      expect(await other.reveal(theirs)).toBeUndefined();
      for (const connection of connections) connection.disconnect();
      expect(await other.reveal(mine)).toBeUndefined();
    } finally {
      for (const connection of connections) connection.disconnect();
      await server[Symbol.asyncDispose]();
    }
  });
});

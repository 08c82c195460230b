import { describe, expect, test } from 'vitest';

import {
  clientNetwork,
  createThrottle,
  MAX_CHAIN_QUESTIONS,
  MAX_CHALLENGES_ASKED,
  MAX_FAILED_SIGN_INS,
  MAX_MAILS_ASKED,
  MAX_MAILS_OF_CLIENT,
  type Throttle,
} from '../src/throttle.ts';

const MAX_FAILURES = 3;

const times = async <T>(count: number, act: () => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: count }, act));

describe('what counts as one client', () => {
  test.each([
    ['IPv4 as it is', '192.0.2.1', '192.0.2.1'],
    ['IPv4 in IPv6 as IPv4', '::ffff:192.0.2.1', '192.0.2.1'],
    ['the same in hexadecimal', '::ffff:c000:201', '192.0.2.1'],
    ['IPv6 by its network', '2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['the same in full', '2001:0db8:0001:0002:ffff:ffff:ffff:ffff', '2001:db8:1:2::/64'],
    ['the network next to it', '2001:db8:1:3::1', '2001:db8:1:3::/64'],
    ['this machine', '::1', '::/64'],
    ['a socket that is gone', '', ''],
    ['an address with a scope', 'fe80::1%eth0', 'fe80::1%eth0'],
  ])('%s', (_what, address, network) => {
    expect(clientNetwork(address)).toBe(network);
  });

  test('is the same for every counter', async () => {
    type Ask = (throttle: Throttle, address: string) => Promise<number | undefined>;
    const counters: readonly [number, Ask][] = [
      [MAX_MAILS_ASKED, (throttle, address) => throttle.askMail(address, 'person@example.com')],
      [MAX_MAILS_OF_CLIENT, (throttle, address) => throttle.askMail(address, `${address}@example.com`)],
      [MAX_CHALLENGES_ASKED, (throttle, address) => throttle.askChallenge(address)],
      [MAX_CHAIN_QUESTIONS, (throttle, address) => throttle.askChain(address)],
      [MAX_FAILED_SIGN_INS, (throttle, address) => throttle.beginSignIn(address)],
    ];
    for (const [most, ask] of counters) {
      const throttle = createThrottle(MAX_FAILURES);
      let host = 0;
      const answers = await times(most + 1, () => ask(throttle, `2001:db8::${(host += 1).toString(16)}`));
      expect(answers.filter((wait) => wait === undefined)).toHaveLength(most);
      expect(await ask(throttle, '2001:db8:0:1::1')).toBeUndefined();
    }
    const throttle = createThrottle(MAX_FAILURES);
    for (const host of ['1', '2', '3']) await throttle.failed(`2001:db8::${host}`, 'subject');
    expect(await throttle.blockedFor('2001:db8::4', 'subject')).toBeGreaterThan(0);
    expect(await throttle.blockedFor('2001:db8:0:1::4', 'subject')).toBeUndefined();
    await throttle.succeeded('2001:db8::5', 'subject');
    expect(await throttle.blockedFor('2001:db8::1', 'subject')).toBeUndefined();
  });
});

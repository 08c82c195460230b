import { expect, test } from 'vitest';

import { hashPassword, MAX_RUNNING, MAX_WAITING, verifyPassword } from '../../../src/resolvers/auth/password.ts';
import { outcome, tally } from './office.ts';

test('so many passwords are checked or wait at once; more are refused, and later ones are not', async () => {
  const passwordHash = await hashPassword('right');
  // The first of all also waits for what stands in for passwords that are not there.
  expect(await verifyPassword(null, 'right')).toBe(false);
  const room = MAX_RUNNING + MAX_WAITING;
  const crowd = Array.from({ length: room + 5 }, (_, index) =>
    outcome(index % 2 === 0 ? verifyPassword(passwordHash, 'right') : hashPassword('another')),
  );
  const outcomes = await Promise.all(crowd);
  expect(tally(outcomes)).toEqual({ OK: room, UNAVAILABLE: 5 });
  expect(await verifyPassword(passwordHash, 'right')).toBe(true);
  expect(await verifyPassword(passwordHash, 'wrong')).toBe(false);
});

import { expect } from 'vitest';

import { ADMIN } from '../../harness/server.ts';
import type { SignedIn } from './accountFlows.ts';
import { documented } from './replay.ts';
import { SAMPLES } from './samples.ts';
import type { Visit } from './suite.ts';

/** Accounts in the state of the samples answer with the very values of the page. */
export async function documentedValues({ go, call }: Visit): Promise<void> {
  const { token, user } = await go<SignedIn>('POST /auth/login', {
    body: { email: 'user@example.com', password: ADMIN.password },
  });
  expect({ user }).toMatchObject({ user: (documented('POST /auth/login') as SignedIn).user });
  const own = { credential: token };
  const exact = async (route: string, values: Parameters<Visit['go']>[1]): Promise<void> =>
    expect(await go(route, values), route).toEqual(documented(route));
  await exact('GET /auth/me', own);
  await exact('GET /keys', own);
  const { key } = await go<{ key: object }>('GET /keys/:id', { ...own, id: 1 });
  // Another test may have used the key.
  expect({ key: { ...key, last_used_at: null } }).toEqual(documented('GET /keys/:id'));
  await exact('GET /keys/:id/reveal', { ...own, id: 1 });
  await exact('GET /keys/balance', own);
  await exact('GET /usage', { credential: SAMPLES.card });
  await exact('GET /keys/pricing', { credential: SAMPLES.premium });
  const newest = { limit: 20, type: 'deposit', subtype: 2, api_key_id: undefined };
  await exact('GET /keys/transactions', { credential: SAMPLES.card, query: newest });
  const filter = { type: 'consumption', api_key_id: 1 };
  const { json } = await call('GET /keys/transactions', { ...own, query: filter });
  expect(json).toMatchObject({ total: 10, page: 1, limit: 1, transactions: [{ amount: -4.5, api_key_name: 'Prod' }] });
}

export async function consumption({ go }: Visit): Promise<void> {
  const usage = await go<{ global: object; keys: object[] }>('GET /keys/usage', { credential: SAMPLES.windows });
  const { global } = documented('GET /keys/usage') as { global: object };
  expect(usage.global).toEqual(global);
  const none = { daily: null, weekly: null, monthly: null };
  const used = { daily: 12.5, weekly: 45, monthly: 120 };
  const id = expect.any(Number) as number;
  expect(usage.keys).toEqual([{ id, name: 'Prod', limits: none, used, remaining: none }]);

  const { daily, hourly } = await go<Consumption>('GET /keys/usage/daily', { credential: SAMPLES.today });
  const today = { mutualise: 5.1, dedie: 1, navigateur: 0, total: 6.1, deposits: 50 };
  expect(daily).toEqual({ [new Date().toISOString().slice(0, 10)]: today });
  expect(hourly.map(({ hour }) => hour)).toEqual([...Array(24).keys()]);
  expect(hourly.reduce((sum, { total }) => sum + total * 10, 0)).toBe(61);
}

interface Consumption {
  readonly daily: object;
  readonly hourly: readonly { readonly hour: number; readonly total: number }[];
}

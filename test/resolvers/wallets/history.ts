import { createApiKey } from '../../../src/resolvers/apiKeys/createApiKey.ts';
import { loadUser } from '../../../src/resolvers/accounts/loadUser.ts';
import { post } from '../../../src/resolvers/ledger/post.ts';
import { close } from '../../../src/resolvers/ledger/upkeep.ts';
import { balanceSummary } from '../../../src/resolvers/usage/balanceSummary.ts';
import { connectTransactions } from '../../../src/resolvers/usage/connectTransactions.ts';
import { usageByDay } from '../../../src/resolvers/usage/usageByDay.ts';
import { usageByHour } from '../../../src/resolvers/usage/usageByHour.ts';
import { HOUR_MS, NANO } from '../../../src/units.ts';
import { asSession, spend, type TestAccount, type TestServices } from '../../harness/context.ts';
import { newClient, newKey, signInWithKey } from '../../harness/wallet.ts';

export const EVERYTHING = { type: null, apiKeyId: null, withTotals: true } as const;
export const MB = 1_000_000n;

const now = new Date();
const hoursAgo = (hours: number): Date => new Date(now.getTime() - hours * HOUR_MS);
let made = 0;

/** A history: deposit, consumption of a closed hour and of the open one. */
export async function live(
  services: TestServices,
  { user, apiKey }: Pick<TestAccount, 'user' | 'apiKey'>,
): Promise<void> {
  made += 1;
  const deposit = { kind: 'DEPOSIT', contra: 'CUSTODY', amount: 3n * NANO, accountId: user.id } as const;
  await post(services.db, { ...deposit, id: `merged-${made}`, ref: `usdt:1:0x${made}` }, hoursAgo(4));
  await spend(services, apiKey.id, { product: 'SHARED', up: MB, down: 2n * MB, at: hoursAgo(3) });
  await spend(services, apiKey.id, { product: 'DEDICATED', up: MB, down: 0n, at: now });
  await close(services.db);
}

/** An account that a wallet alone opens, with credit and keys. */
export async function walletAccount(
  services: TestServices,
  keys: number,
): Promise<{ account: TestAccount; wallet: ReturnType<typeof newKey> }> {
  const wallet = newKey();
  const { user } = await signInWithKey(newClient(services), wallet);
  const ctx = asSession(services, user);
  const created = await createApiKey(ctx, { name: 'wallet' });
  for (let more = 1; more < keys; more += 1) await createApiKey(ctx, { name: `wallet ${more}` });
  const account = { user, ctx, ...created };
  await live(services, account);
  return { account, wallet };
}

export async function viewOf({ ctx, user }: Pick<TestAccount, 'ctx' | 'user'>) {
  const { edges, totals } = await connectTransactions(ctx, user.id, { first: 100 }, EVERYTHING);
  return {
    balance: (await loadUser(ctx.db, user.id)).account.balance,
    transactions: edges.map(({ node }) => node),
    totals,
    summary: await balanceSummary(ctx, user.id),
    days: await usageByDay(ctx, user.id, 2, null),
    hours: await usageByHour(ctx, user.id, null),
  };
}
export type View = Awaited<ReturnType<typeof viewOf>>;

export const idsOf = ({ transactions }: View): bigint[] => transactions.map(({ id }) => id);
export const sum = (amounts: readonly bigint[]): bigint => amounts.reduce((total, amount) => total + amount, 0n);

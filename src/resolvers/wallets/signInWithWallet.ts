import type { OperationContext } from '../../context.ts';
import { sql, type Sql } from '../../database/sql.ts';
import { AppError } from '../../errors.ts';
import { loadUser } from '../accounts/loadUser.ts';
import { audit, byProof } from '../audit/record.ts';
import { createSession } from '../auth/createSession.ts';
import type { SignedIn, SignInInput } from '../auth/signIn.ts';
import { openAccount } from '../ledger/open.ts';
import { transaction } from '../transaction.ts';
import { lockWallet } from './owner.ts';
import { proveWallet, type WalletProof } from './proveWallet.ts';

// Shared: a merge or suspension, which ends the sessions of the account, comes before this sign-in or after it.
const OWNER = sql(
  'walletOwner',
  'select id, suspended_at is not null as suspended from users where wallet_address = $1 for share',
);
const INSERT = sql('userInsertWallet', 'insert into users (wallet_address) values ($1) returning id');

/**
 * Opens a session with a wallet, and an account with it the first time.
 * @throws AppError as `proveWallet`; ACCOUNT_SUSPENDED
 */
export async function signInWithWallet(
  ctx: OperationContext,
  { kind, ...proof }: WalletProof & { readonly message: string } & Pick<SignInInput, 'kind'>,
): Promise<SignedIn> {
  const address = await proveWallet(ctx, proof, 'SIGN_IN');
  const { userId, session } = await transaction(ctx, async (tx) => {
    const id = await ownerOf(tx, ctx, address);
    await audit(tx, byProof(ctx), { accountId: id, action: 'SIGNED_IN', detail: { by: 'WALLET', kind } });
    return { userId: id, session: await createSession({ ...ctx, db: tx }, id, kind) };
  });
  return { ...session, user: await loadUser(ctx.db, userId) };
}

async function ownerOf(tx: Sql, ctx: OperationContext, address: string): Promise<bigint> {
  await lockWallet(tx, address);
  const [owner] = await tx.query<{ id: bigint; suspended: boolean }>(OWNER, [address]);
  if (owner?.suspended === true) throw new AppError('ACCOUNT_SUSPENDED');
  if (owner !== undefined) return owner.id;
  const [created] = await tx.query<{ id: bigint }>(INSERT, [address]);
  if (created === undefined) throw new Error('the user was not inserted');
  await openAccount(tx, created.id);
  await audit(tx, byProof(ctx), {
    accountId: created.id,
    action: 'ACCOUNT_CREATED',
    detail: { by: 'WALLET', address },
  });
  return created.id;
}

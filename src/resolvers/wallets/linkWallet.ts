import type { ViewerContext } from '../../context.ts';
import { sql } from '../../database/sql.ts';
import { AppError } from '../../errors.ts';
import { loadUser } from '../accounts/loadUser.ts';
import type { UserRow } from '../accounts/rows.ts';
import { audit } from '../audit/record.ts';
import { transaction } from '../transaction.ts';
import { mergeAccount } from './mergeAccount.ts';
import { lockWalletUsers, type WalletUser } from './owner.ts';
import { tellOwner } from './tellOwner.ts';
import { proveWallet, proveWalletUnnamed, type WalletProof } from './proveWallet.ts';

const LINK = sql('userLinkWallet', 'update users set wallet_address = $2 where id = $1');

export interface LinkWalletInput extends WalletProof {
  /** Given out to link; absent: any that the wallet has outstanding. */
  readonly message?: string | null | undefined;
  /** Absent message: one given out to sign in will do, as the `lpf` dialect documents it. */
  readonly acceptSignIn?: boolean | null | undefined;
}

export interface LinkedWallet {
  readonly user: UserRow;
  /** The wallet had an account of its own, which is one with the caller's now. */
  readonly merged: boolean;
}

/**
 * Links a wallet to the caller's account. An account that the wallet alone could open becomes part of it: credit, keys,
 * transactions and webhook. The owner is told by mail: whoever has the wallet can sign in from then on.
 * @throws AppError as `proveWallet`; WALLET_ALREADY_LINKED when the caller has another wallet, WALLET_TAKEN when the
 *   wallet's account can be opened otherwise too, ACCOUNT_SUSPENDED when either account is, MERGE_LIMIT_REACHED
 */
export async function linkWallet(ctx: ViewerContext, input: LinkWalletInput): Promise<LinkedWallet> {
  const { message, acceptSignIn } = input;
  const address =
    message === null || message === undefined
      ? await proveWalletUnnamed(ctx, input, acceptSignIn === true ? ['LINK', 'SIGN_IN'] : ['LINK'])
      : await proveWallet(ctx, { ...input, message }, 'LINK');
  const { userId } = ctx.viewer;
  const linked = await transaction(ctx, async (tx, publish) => {
    const { user, owner } = await lockWalletUsers(tx, userId, address);
    requireLinkable(user, owner, address);
    const from = owner?.id === userId ? undefined : owner;
    if (from !== undefined) await mergeAccount(tx, publish, { from: from.id, into: userId });
    if (owner?.id !== userId) {
      await tx.query(LINK, [userId, address]);
      await audit(tx, ctx, { accountId: userId, action: 'WALLET_LINKED', detail: { address } });
      await tellOwner(tx, ctx, 'WALLET_LINKED');
    }
    if (from !== undefined) {
      const detail = { from: from.id.toString(), into: userId.toString(), address };
      await audit(tx, ctx, { accountId: userId, action: 'ACCOUNT_MERGED', detail });
    }
    return { user: await loadUser(tx, userId), merged: from !== undefined };
  });
  ctx.wakeMail();
  return linked;
}

function requireLinkable(user: WalletUser | undefined, owner: WalletUser | undefined, address: string): void {
  // It was merged into another account while its last request was on the way.
  if (user === undefined || user.merged) throw new AppError('UNAUTHENTICATED');
  // Also the wallet's: credit that is suspended does not come free by moving.
  if (user.suspended) throw new AppError('ACCOUNT_SUSPENDED');
  if (user.walletAddress === address) return;
  if (user.walletAddress !== null) throw new AppError('WALLET_ALREADY_LINKED');
  if (owner === undefined) return;
  if (!owner.walletOnly) throw new AppError('WALLET_TAKEN');
  if (owner.suspended) throw new AppError('ACCOUNT_SUSPENDED');
}

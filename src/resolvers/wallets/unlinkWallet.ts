import type { ViewerContext } from '../../context.ts';
import { sql } from '../../database/sql.ts';
import { AppError } from '../../errors.ts';
import { loadUser } from '../accounts/loadUser.ts';
import type { UserRow } from '../accounts/rows.ts';
import { audit } from '../audit/record.ts';
import { transaction } from '../transaction.ts';
import { parseAddress } from './address.ts';
import { tellOwner } from './tellOwner.ts';

const LOCK = sql('walletUnlinkLock', 'select wallet_address as address from users where id = $1 for update');
const CREDENTIALS = sql('walletUnlinkCredentials', 'select kind from credential where user_id = $1');
const UNLINK = sql('userUnlinkWallet', 'update users set wallet_address = null where id = $1');

/**
 * Unlinks the wallet of the caller's account. Deposits that came from it stay; the owner is told by mail.
 * @param input.address only if it is this wallet, in any case
 * @throws AppError NO_WALLET when the account has none, or another; LAST_CREDENTIAL when nobody could sign in without
 *   it; BAD_INPUT for an address that is none
 */
export async function unlinkWallet(
  ctx: ViewerContext,
  input: { readonly address?: string | null | undefined },
): Promise<{ user: UserRow }> {
  const { userId } = ctx.viewer;
  const only = typeof input.address === 'string' ? (await parseAddress(input.address)).stored : undefined;
  const unlinked = await transaction(ctx, async (tx) => {
    const [linked] = await tx.query<{ address: string | null }>(LOCK, [userId]);
    const address = linked?.address ?? null;
    if (address === null || (only !== undefined && only !== address)) throw new AppError('NO_WALLET');
    if ((await tx.query(CREDENTIALS, [userId])).length === 0) throw new AppError('LAST_CREDENTIAL');
    await tx.query(UNLINK, [userId]);
    await audit(tx, ctx, { accountId: userId, action: 'WALLET_UNLINKED', detail: { address } });
    await tellOwner(tx, ctx, 'WALLET_UNLINKED');
    return { user: await loadUser(tx, userId) };
  });
  ctx.wakeMail();
  return unlinked;
}

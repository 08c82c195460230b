import { sql, type Sql } from '../../database/sql.ts';

const LOCK_WALLET = sql('walletLock', `select pg_advisory_xact_lock(hashtextextended('wallet:' || $1, 0))`);
// Not shared with anybody: rows that refer to these users come before us or after us, never between our steps.
const LOCK_USERS = sql(
  'walletUsersLock',
  'select id from users where id = $1 or wallet_address = $2 order by id for update',
);
const READ_USERS = sql(
  'walletUsers',
  `select u.id, u.wallet_address as "walletAddress", a.status = 2 as merged,
     u.suspended_at is not null or a.status = 1 as suspended,
     u.email is null and u.role = 'USER' and not exists (select 1 from credential c where c.user_id = u.id)
       as "walletOnly"
   from users u join account a on a.id = u.id where u.id = $1 or u.wallet_address = $2`,
);

/** A user as far as wallets are concerned. */
export interface WalletUser {
  readonly id: bigint;
  readonly walletAddress: string | null;
  /** It went into another account, and is nobody's any more. */
  readonly merged: boolean;
  readonly suspended: boolean;
  /** A customer who can sign in with the wallet and no otherwise. */
  readonly walletOnly: boolean;
}

/** Until the transaction ends nobody else gets this wallet. @param address lower case */
export async function lockWallet(tx: Sql, address: string): Promise<void> {
  await tx.query(LOCK_WALLET, [address]);
}

/** A user, and who has the wallet now, both locked. @param address lower case */
export async function lockWalletUsers(
  tx: Sql,
  userId: bigint,
  address: string,
): Promise<{ readonly user: WalletUser | undefined; readonly owner: WalletUser | undefined }> {
  await lockWallet(tx, address);
  await tx.query(LOCK_USERS, [userId, address]);
  const rows = await tx.query<WalletUser>(READ_USERS, [userId, address]);
  return { user: rows.find(({ id }) => id === userId), owner: rows.find((row) => row.walletAddress === address) };
}

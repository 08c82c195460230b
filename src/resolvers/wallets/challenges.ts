import type { OperationContext } from '../../context.ts';
import { sql, type Sql } from '../../database/sql.ts';
import { clientNetwork } from '../../throttle.ts';
import type { ChallengePurpose } from './message.ts';

/** Messages of one wallet that one client may have outstanding: what others ask for takes no room of it. */
export const MAX_OUTSTANDING = 20;
/** Outstanding messages that a signature is compared with when it does not say which one it is of. */
const MAX_COMPARED = MAX_OUTSTANDING;

/** A message given out to be signed. */
export interface Challenge {
  readonly nonce: string;
  readonly chainId: bigint;
  readonly purpose: ChallengePurpose;
  /** Exactly as given out. */
  readonly message: string;
}

const OUTSTANDING = 'from wallet_challenge where address = $1 and used_at is null and expires_at > $2';
// One statement: messages asked for at once may pass the limit by their number, which the throttle bounds.
const INSERT = sql(
  'walletChallengeInsert',
  `insert into wallet_challenge (address, nonce, chain_id, purpose, message, client, expires_at)
   select $1, $3, $4::bigint, $5::challenge_purpose, $6, $7, $8::timestamptz
   where (select count(*) ${OUTSTANDING} and client = $7) < ${MAX_OUTSTANDING}
   returning nonce`,
);
const TAKE = sql(
  'walletChallengeTake',
  `update wallet_challenge set used_at = $4
   where nonce = $1 and message = $2 and purpose = $3::challenge_purpose and used_at is null and expires_at > $4
   returning chain_id as "chainId"`,
);
const RESTORE = sql(
  'walletChallengeRestore',
  'update wallet_challenge set used_at = null where nonce = $1 and used_at = $2',
);
const COLUMNS = 'nonce, chain_id as "chainId", purpose::text as purpose, message';
const newestOf = (whose: string): string =>
  `(select ${COLUMNS} ${OUTSTANDING} and ${whose} order by expires_at desc limit ${MAX_COMPARED})`;
// What the client itself asked for comes first: strangers, who may ask for the same wallet, do not push it out.
const NEWEST = sql(
  'walletChallengesNewest',
  `${newestOf('client = $3')} union all ${newestOf('client <> $3')} limit ${MAX_COMPARED}`,
);
// `now()`, not the clock: what changes from row to row is looked up in no index.
const DELETE = sql(
  'walletChallengesDelete',
  `delete from wallet_challenge where nonce in (
     select nonce from wallet_challenge where expires_at < now() - interval '5 minutes'
     order by expires_at limit $1::int for update skip locked)
   returning nonce`,
);

export interface NewChallenge extends Challenge {
  /** Lower case. */
  readonly address: string;
  readonly issuedAt: Date;
  readonly expiresAt: Date;
}

type Asker = Pick<OperationContext, 'db' | 'clientAddress'>;

/** Keeps a message. @returns false when the client has `MAX_OUTSTANDING` of the wallet already */
export async function insertChallenge({ db, clientAddress }: Asker, challenge: NewChallenge): Promise<boolean> {
  const { address, issuedAt, nonce, chainId, purpose, message, expiresAt } = challenge;
  const values = [address, issuedAt, nonce, chainId, purpose, message, clientNetwork(clientAddress), expiresAt];
  return (await db.query(INSERT, values)).length > 0;
}

/**
 * Takes a message: of any number that try, one gets it.
 * @returns its chain; undefined when it was not given out so, is used, or has expired
 */
export async function takeChallenge(
  db: Sql,
  { nonce, message, purpose }: Omit<Challenge, 'chainId'>,
  at: Date,
): Promise<bigint | undefined> {
  const [row] = await db.query<{ chainId: bigint }>(TAKE, [nonce, message, purpose, at]);
  return row?.chainId;
}

/** Puts back a message that could not be looked at: only by who took it, and at most once. @param at when it was taken */
export async function restoreChallenge(db: Sql, nonce: string, at: Date): Promise<void> {
  await db.query(RESTORE, [nonce, at]);
}

/** Outstanding messages of a wallet, those of this client first, the newest first; a bounded number. */
export function newestChallenges({ db, clientAddress }: Asker, address: string, at: Date): Promise<Challenge[]> {
  return db.query<Challenge>(NEWEST, [address, at, clientNetwork(clientAddress)]);
}

/** Deletes messages that expired a while ago, at most `limit`. @returns how many */
export async function deleteChallenges(db: Sql, limit: number): Promise<number> {
  return (await db.query(DELETE, [limit])).length;
}

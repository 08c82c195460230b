import { generatePrivateKey, privateKeyToAccount, type PrivateKeyAccount } from 'viem/accounts';

import { sql } from '../../../src/database/sql.ts';
import { insertAccount } from '../../../src/resolvers/accounts/insertAccount.ts';
import { insertApiKey } from '../../../src/resolvers/apiKeys/insertApiKey.ts';
import type { Restrictions } from '../../../src/resolvers/apiKeys/restrictions.ts';
import { hashPassword } from '../../../src/resolvers/auth/password.ts';
import { insertRegistration } from '../../../src/resolvers/auth/registrations.ts';
import { insertChallenge, MAX_OUTSTANDING } from '../../../src/resolvers/wallets/challenges.ts';
import { MAX_MERGED_KEYS } from '../../../src/resolvers/wallets/mergeAccount.ts';
import { MAX_MAILS_ASKED, MAX_REVEALS, MAX_SECRET_CHANGES } from '../../../src/throttle.ts';
import { NOW, PASSWORD, type World } from '../world.ts';

/** An account of one part, with its first key. */
export interface Part {
  readonly userId: bigint;
  readonly keyId: bigint;
  readonly email: string;
  readonly secret: string;
  readonly wallet: PrivateKeyAccount;
}

/** Everybody that the faults need, each in the state that provokes one. */
export interface Cast {
  readonly world: World;
  /** An account with an e-mail address alone. */
  readonly plain: Part;
  readonly proxyOnly: Part;
  /** Whose key may be used from another address only. */
  readonly elsewhere: Part;
  readonly suspended: Part;
  /** An account that a wallet alone opens, suspended. */
  readonly suspendedWallet: Part;
  readonly revoked: Part;
  /** With 10 active keys. */
  readonly full: Part;
  /** An account with an e-mail address, a wallet and a webhook. */
  readonly linked: Part;
  /** An account that a wallet alone opens. */
  readonly walletOnly: Part;
  /** A sign-up whose link was not followed, with a key of somebody else. */
  /** An account that a wallet alone opens, with more keys than one account may take in. */
  readonly crowded: Part;
  readonly unverified: Part;
  /** Whose secret cannot be shown. */
  readonly sealed: Part;
  /** Who has done everything too often. */
  readonly hasty: Part;
}

const SUSPEND = sql('testCastSuspend', 'update users set suspended_at = now() where id = $1');
const REVOKE = sql('testCastRevoke', 'update api_key_profile set revoked_at = now() where id = $1');
const WALLET = sql('testCastWallet', 'update users set wallet_address = $2 where id = $1');
const WALLET_ONLY = sql('testCastWalletOnly', 'update users set email = null, email_verified = false where id = $1');
const NO_PASSWORD = sql('testCastNoPassword', 'delete from credential where user_id = $1');
const WEBHOOK = sql(
  'testCastWebhook',
  `insert into settings (user_id, webhook_url) values ($1, 'https://example.com/webhook')`,
);
const CROWD = sql(
  'testCastCrowd',
  `insert into api_key_profile (user_id, name, prefix) select $1, 'Key ' || n, '' from generate_series(1, $2::int) n`,
);
const SEAL = sql('testCastSeal', 'update api_key_secret set ciphertext = null where key_id = $1');

const MAX_FAILURES = 10;
const CLIENT = '127.0.0.1';

export async function assemble(world: World): Promise<Cast> {
  const { db } = world.services;
  const passwordHash = await hashPassword(PASSWORD);
  let made = 0;
  const play = async (name: string, restrictions: Restrictions = {}): Promise<Part> => {
    made += 1;
    const secret = `lpf_${`${made}`.padStart(4, 'c').repeat(8)}`;
    const email = `${name}@example.com`;
    return db.transaction(async (tx) => {
      const userId = await insertAccount(tx, { email, username: name, passwordHash, role: 'USER' });
      const { id: keyId } = await insertApiKey(tx, world.services.keys, {
        ...{ userId, name: 'Prod', secret, limits: {}, restrictions },
      });
      return { userId, keyId, email, secret, wallet: privateKeyToAccount(generatePrivateKey()) };
    });
  };
  const cast: Cast = {
    world,
    plain: await play('plain'),
    proxyOnly: await play('proxy-only', { scopes: ['PROXY'] }),
    elsewhere: await play('elsewhere', { allowedIps: ['203.0.113.0/24'] }),
    suspended: await play('suspended'),
    suspendedWallet: await play('suspended-wallet'),
    revoked: await play('revoked'),
    full: await play('full'),
    linked: await play('linked'),
    walletOnly: await play('wallet-only'),
    crowded: await play('crowded'),
    unverified: { ...(await play('confirmed')), email: 'unverified@example.com' },
    sealed: await play('sealed'),
    hasty: await play('hasty'),
  };
  for (const { userId, wallet } of [cast.linked, cast.walletOnly, cast.crowded, cast.suspendedWallet])
    await db.query(WALLET, [userId, wallet.address.toLowerCase()]);
  for (const { userId } of [cast.suspended, cast.suspendedWallet]) await db.query(SUSPEND, [userId]);
  for (const { userId } of [cast.walletOnly, cast.crowded, cast.suspendedWallet]) {
    await db.query(WALLET_ONLY, [userId]);
    await db.query(NO_PASSWORD, [userId]);
  }
  await db.query(WEBHOOK, [cast.linked.userId]);
  await db.query(REVOKE, [cast.revoked.keyId]);
  await db.transaction((tx) =>
    insertRegistration(tx, {
      ...{ email: cast.unverified.email, username: 'unverified', passwordHash, language: 'FR', address: CLIENT },
    }),
  );
  await db.query(SEAL, [cast.sealed.keyId]);
  await db.query(CROWD, [cast.crowded.userId, MAX_MERGED_KEYS]);
  await fill(cast);
  await hurry(cast);
  return cast;
}

async function fill({ world, full: { userId } }: Cast): Promise<void> {
  const { db, keys } = world.services;
  for (let key = 2; key <= 10; key += 1) {
    const secret = `lpf_${'fu11'.repeat(7)}000${key % 10}`;
    await db.transaction((tx) => insertApiKey(tx, keys, { userId, name: `Key ${key}`, secret, limits: {} }));
  }
}

/** Counts up to the limit whatever is limited, without the work. */
async function hurry({ world, hasty }: Cast): Promise<void> {
  const { throttle, db } = world.services;
  const address = hasty.wallet.address.toLowerCase();
  for (const subject of [hasty.email, address]) {
    for (let failure = 0; failure < MAX_FAILURES; failure += 1) await throttle.failed(CLIENT, subject);
  }
  for (let mail = 0; mail < MAX_MAILS_ASKED; mail += 1) await throttle.askMail(CLIENT, hasty.email);
  for (let reveal = 0; reveal < MAX_REVEALS; reveal += 1) await throttle.reveal(hasty.userId);
  for (let change = 0; change < MAX_SECRET_CHANGES; change += 1) await throttle.changeSecret(hasty.userId);
  const expiresAt = new Date(Date.now() + 86_400_000);
  for (let nonce = 0; nonce < MAX_OUTSTANDING; nonce += 1) {
    const challenge = { nonce: `${nonce}`.padStart(32, '0'), chainId: 1n, purpose: 'SIGN_IN', message: 'x' } as const;
    await insertChallenge({ db, clientAddress: CLIENT }, { ...challenge, address, issuedAt: NOW, expiresAt });
  }
}

import pg from 'pg';

import { deriveKeys, lookupHash } from '../../../src/crypto.ts';
import { AUTHENTICATE } from './statements.ts';

/** What both peers share: a pool as large as our server's, prepared statements, and the lookup of a credential. */
const CONNECTIONS = 12;

const required = (name: string): string => {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set`);
  return value;
};

const pool = new pg.Pool({
  connectionString: required('DATABASE_URL'),
  max: CONNECTIONS,
  // Compiling the plan of Q4 takes PostgreSQL ten times as long as running it.
  options: '-c jit=off',
});
const lookupKeys = deriveKeys(Buffer.from(required('MASTER_KEY'), 'base64'));

/** Runs a prepared statement. */
export type Query<Row> = (...values: readonly unknown[]) => Promise<Row[]>;

/** Prepares `text` once per connection. */
export function prepared<Row>(name: string, text: string): Query<Row> {
  return async (...values) => (await pool.query({ name, text, values: [...values] })).rows as Row[];
}

const BEARER = 'Bearer ';

/** Lookup hash of the bearer credential of a request; without one, a hash that nobody has. */
export function lookupOf(authorization: string | undefined): Buffer {
  return lookupHash(lookupKeys, authorization?.startsWith(BEARER) === true ? authorization.slice(BEARER.length) : '');
}

export interface CallerRow {
  readonly account_id: string;
  readonly key_id: string;
}

export const authenticate = prepared<CallerRow>(AUTHENTICATE.name, AUTHENTICATE.text);

/** Tells the bench where this process listens; ends with the bench. */
export function announce(url: string): void {
  process.on('disconnect', () => process.exit());
  process.send?.({ url });
}

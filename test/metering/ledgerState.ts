import { sql, type Sql } from '../../src/database/sql.ts';

const BILLED = sql(
  'testBilled',
  `select coalesce(sum(up + down), 0)::bigint as bytes, coalesce(sum(amount), 0)::bigint as amount
   from usage_hour where key_id = any ($1::bigint[])`,
);
const BALANCE = sql('testBalance', 'select balance, reserved from account where id = $1');
const HOURS = sql('testHours', 'select hour, up, down from usage_hour where key_id = $1 order by hour, product');
const RESERVED = sql(
  'testReserved',
  'select coalesce(sum(reserved), 0)::bigint as reserved from lease where key_id = $1',
);

/** What the ledger has charged for these keys. */
export async function billed(db: Sql, ...keyIds: bigint[]): Promise<{ bytes: bigint; amount: bigint }> {
  return one(await db.query<{ bytes: bigint; amount: bigint }>(BILLED, [keyIds]));
}

export async function balance(db: Sql, accountId: bigint): Promise<{ balance: bigint; reserved: bigint }> {
  return one(await db.query<{ balance: bigint; reserved: bigint }>(BALANCE, [accountId]));
}

export function hours(db: Sql, keyId: bigint): Promise<{ hour: Date; up: bigint; down: bigint }[]> {
  return db.query(HOURS, [keyId]);
}

/** Nano-credits leased to any instance for this key. */
export async function leased(db: Sql, keyId: bigint): Promise<bigint> {
  return one(await db.query<{ reserved: bigint }>(RESERVED, [keyId])).reserved;
}

function one<Row>([row]: readonly Row[]): Row {
  if (row === undefined) throw new Error('the query returned no row');
  return row;
}

import { seal, unseal, type Keyring } from '../../crypto.ts';
import { sql, type Sql } from '../../database/sql.ts';
import { parseExits, type ExitSpec } from '../../proxy/exits/config.ts';
import { productNumber, productOf, type Product } from '../../units.ts';

/** What the operator said about an exit. */
export interface ExitRow {
  readonly id: bigint;
  readonly product: Product;
  readonly label: string;
  /** Sealed entry of the grammar of EXITS_*; null: the exit is configured. */
  readonly spec: Uint8Array | null;
  readonly drained: boolean;
  /** Ascending. */
  readonly accountIds: readonly bigint[];
}

/** Everything there is to say, at one moment. */
export interface ExitBook {
  readonly version: bigint;
  readonly rows: readonly ExitRow[];
}

// One statement, so that rows and version are of one moment; without exits there is the version alone.
const READ = sql(
  'exitsRead',
  `select v.version, e.id, e.product, e.label, e.spec, e.drained,
     array(select a.account_id::text from exit_account a where a.exit_id = e.id order by a.account_id) as account_ids
   from exit_version v left join proxy_exit e on true order by e.id`,
);

interface Columns {
  readonly version: bigint;
  readonly id: bigint | null;
  readonly product: number;
  readonly label: string;
  readonly spec: Uint8Array | null;
  readonly drained: boolean;
  readonly account_ids: readonly string[];
}

/** All rows, the oldest first. */
export async function readExits(db: Sql): Promise<ExitBook> {
  const found = await db.query<Columns>(READ);
  const [first] = found;
  if (first === undefined) throw new Error('the version of the exits is missing');
  const rows = found.flatMap(({ id, product, label, spec, drained, account_ids: accountIds }) =>
    id === null ? [] : [{ id, product: productOf(product), label, spec, drained, accountIds: accountIds.map(BigInt) }],
  );
  return { version: first.version, rows };
}

const VERSION = sql('exitsVersion', 'select version from exit_version');

/** Differs from an earlier one when anything about exits has changed since. */
export async function exitsVersion(db: Sql): Promise<bigint | undefined> {
  return (await db.query<{ version: bigint }>(VERSION))[0]?.version;
}

/** What the ciphertext of an exit is bound to, so that it cannot be moved to another one. */
function sealContext(product: Product, label: string): string {
  return `exit:${productNumber(product)}:${label}`;
}

/** @param entry as it would stand in EXITS_*, password included */
export function sealEntry({ exits }: Keyring, product: Product, label: string, entry: string): Buffer {
  return seal(exits, entry, sealContext(product, label));
}

/** @throws Error when MASTER_KEY has changed, or the bytes have; nothing of the entry is in it */
export function openEntry({ exits }: Keyring, { product, label, spec }: ExitRow): ExitSpec {
  const parsed = parseExits(unseal(exits, spec ?? new Uint8Array(), sealContext(product, label)));
  if ('faults' in parsed) throw new Error(`the stored exit ${parsed.faults.join('; ')}`);
  return parsed.exits[0];
}

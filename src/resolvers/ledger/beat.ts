import { sql, type Sql } from '../../database/sql.ts';
import type { BeatResult } from './types.ts';

const BEAT = sql('ledgerBeat', 'select fenced, at, key_id from ledger_beat($1::uuid, $2::timestamptz)');

/**
 * Heartbeat of an instance; call every 500 ms. A recalled key may be named by several beats in a
 * row (for 2 s), so that a lost answer loses nothing: ticking its lease twice does no harm.
 */
export async function beat(db: Sql, instanceId: string, now?: Date): Promise<BeatResult> {
  const rows = await db.query<{ fenced: boolean; at: Date; key_id: bigint | null }>(BEAT, [instanceId, now ?? null]);
  const [head] = rows;
  if (head === undefined) throw new Error('ledger_beat returned no row');
  const recalled = rows.map((row) => row.key_id).filter((keyId) => keyId !== null);
  return { fenced: head.fenced, now: head.at, recalled };
}

import { AppError } from '../errors.ts';

/** Types that `node` can load. */
export const NODE_TYPES = ['User', 'ApiKey', 'Transaction', 'PriceGrid', 'AuditEntry', 'Session', 'Exit'] as const;
export type NodeType = (typeof NODE_TYPES)[number];

/** Relay global id: base64 of `Type:id`. */
export function encodeNodeId(type: string, id: string | number | bigint): string {
  return Buffer.from(`${type}:${id}`).toString('base64');
}

const NUMBERED = /^(User|ApiKey|Transaction|PriceGrid|AuditEntry):([1-9]\d{0,18})$/;
const NAMED = /^(Session):([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/;
const EXIT = /^(Exit):(exit-[0-9a-f]{12})$/;

/** @throws AppError NOT_FOUND for what is no id of ours: malformed and unknown ids are the same answer */
export function decodeNodeId(globalId: string): { typename: NodeType; id: string } {
  const text = Buffer.from(globalId, 'base64').toString();
  const numbered = NUMBERED.exec(text);
  const [, type, id] = numbered ?? NAMED.exec(text) ?? EXIT.exec(text) ?? [];
  const typename = NODE_TYPES.find((known) => known === type);
  if (typename === undefined || id === undefined || (numbered !== null && BigInt(id) >= 2n ** 63n))
    throw new AppError('NOT_FOUND');
  return { typename, id };
}

/**
 * The database id behind a global id of the given type.
 * @throws AppError NOT_FOUND when it is malformed or of another type
 */
export function databaseId(type: Exclude<NodeType, 'Session' | 'Exit'>, globalId: string): bigint {
  const { typename, id } = decodeNodeId(globalId);
  if (typename !== type) throw new AppError('NOT_FOUND');
  return BigInt(id);
}

/** The same for an optional argument: absent and null mean none. */
export function optionalDatabaseId(
  type: Exclude<NodeType, 'Session' | 'Exit'>,
  globalId: string | null | undefined,
): bigint | null {
  return globalId === null || globalId === undefined ? null : databaseId(type, globalId);
}

/**
 * The id of a session, by the global id of an optional argument; undefined when that is absent or null.
 * @throws AppError NOT_FOUND when it is malformed or of another type
 */
export function optionalSessionId(globalId: string | null | undefined): string | undefined {
  if (globalId === null || globalId === undefined) return undefined;
  const { typename, id } = decodeNodeId(globalId);
  if (typename !== 'Session') throw new AppError('NOT_FOUND');
  return id;
}

/** The name of the exit behind a global id. @throws AppError NOT_FOUND when it is malformed or of another type */
export function exitName(globalId: string): string {
  const { typename, id } = decodeNodeId(globalId);
  if (typename !== 'Exit') throw new AppError('NOT_FOUND');
  return id;
}

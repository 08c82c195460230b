import { AppError } from '../errors.ts';

/** Types that `node` can load. */
export const NODE_TYPES = ['User', 'ApiKey', 'Transaction'] as const;
export type NodeType = (typeof NODE_TYPES)[number];

/** Relay global id: base64 of `Type:id`. */
export function encodeNodeId(type: string, id: string | number | bigint): string {
  return Buffer.from(`${type}:${id}`).toString('base64');
}

const SHAPE = /^(User|ApiKey|Transaction):([1-9]\d{0,18})$/;

/** @throws AppError NOT_FOUND for what is no id of ours: malformed and unknown ids are the same answer */
export function decodeNodeId(globalId: string): { typename: NodeType; id: string } {
  const [, type, id] = SHAPE.exec(Buffer.from(globalId, 'base64').toString()) ?? [];
  const typename = NODE_TYPES.find((known) => known === type);
  if (typename === undefined || id === undefined || BigInt(id) >= 2n ** 63n) throw new AppError('NOT_FOUND');
  return { typename, id };
}

/**
 * The database id behind a global id of the given type.
 * @throws AppError NOT_FOUND when it is malformed or of another type
 */
export function databaseId(type: NodeType, globalId: string): bigint {
  const { typename, id } = decodeNodeId(globalId);
  if (typename !== type) throw new AppError('NOT_FOUND');
  return BigInt(id);
}

/** The same for an optional argument: absent and null mean none. */
export function optionalDatabaseId(type: NodeType, globalId: string | null | undefined): bigint | null {
  return globalId === null || globalId === undefined ? null : databaseId(type, globalId);
}

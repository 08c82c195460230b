import { AppError } from '../errors.ts';
import type { ConnectionRef } from '../openConnection.ts';

/** Types that `node` can load. */
export const NODE_TYPES = [
  'User',
  'ApiKey',
  'Transaction',
  'PriceGrid',
  'AuditEntry',
  'Session',
  'OpenConnection',
  'Exit',
] as const;
export type NodeType = (typeof NODE_TYPES)[number];
type NumberedType = Exclude<NodeType, 'Session' | 'OpenConnection' | 'Exit'>;

/** Relay global id: base64 of `Type:id`. */
export function encodeNodeId(type: string, id: string | number | bigint): string {
  return Buffer.from(`${type}:${id}`).toString('base64');
}

const NUMBERED = /^(User|ApiKey|Transaction|PriceGrid|AuditEntry):([1-9]\d{0,18})$/;
const UUID = '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}';
const NAMED = new RegExp(`^(Session|OpenConnection):(${UUID}(?<no>:[1-9]\\d{0,14})?)$`);
const EXIT = /^(Exit):(exit-[0-9a-f]{12})$/;

/** @throws AppError NOT_FOUND for what is no id of ours: malformed and unknown ids are the same answer */
export function decodeNodeId(globalId: string): { typename: NodeType; id: string } {
  const text = Buffer.from(globalId, 'base64').toString();
  const numbered = NUMBERED.exec(text);
  const named = NAMED.exec(text);
  const [, type, id] = numbered ?? named ?? EXIT.exec(text) ?? [];
  // A connection has a number on its instance; nothing else has one behind its name.
  if (named !== null && (type === 'OpenConnection') !== (named.groups?.['no'] !== undefined))
    throw new AppError('NOT_FOUND');
  const typename = NODE_TYPES.find((known) => known === type);
  if (typename === undefined || id === undefined || (numbered !== null && BigInt(id) >= 2n ** 63n))
    throw new AppError('NOT_FOUND');
  return { typename, id };
}

/**
 * The database id behind a global id of the given type.
 * @throws AppError NOT_FOUND when it is malformed or of another type
 */
export function databaseId(type: NumberedType, globalId: string): bigint {
  const { typename, id } = decodeNodeId(globalId);
  if (typename !== type) throw new AppError('NOT_FOUND');
  return BigInt(id);
}

/** The same for an optional argument: absent and null mean none. */
export function optionalDatabaseId(type: NumberedType, globalId: string | null | undefined): bigint | null {
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

/** The global id of an open connection. */
export function connectionId({ instanceId, no }: ConnectionRef): string {
  return encodeNodeId('OpenConnection', `${instanceId}:${no}`);
}

/** The connection behind a decoded id. */
export function connectionRef(id: string): ConnectionRef {
  const [instanceId = '', no] = id.split(':');
  return { instanceId, no: Number(no) };
}

/** The connection behind a global id. @throws AppError NOT_FOUND when it is malformed or of another type */
export function decodeConnectionId(globalId: string): ConnectionRef {
  const { typename, id } = decodeNodeId(globalId);
  if (typename !== 'OpenConnection') throw new AppError('NOT_FOUND');
  return connectionRef(id);
}

/** The name of the exit behind a global id. @throws AppError NOT_FOUND when it is malformed or of another type */
export function exitName(globalId: string): string {
  const { typename, id } = decodeNodeId(globalId);
  if (typename !== 'Exit') throw new AppError('NOT_FOUND');
  return id;
}

import type { EventMap, EventName } from '../events.ts';

/** Events that are sent to other instances. */
const SENT = [
  'accountEvents',
  'refusals',
  'credentialsChanged',
  'leasesChanged',
  'exitsChanged',
  'connectionsAsked',
] as const satisfies readonly EventName[];
type SentName = (typeof SENT)[number];

/** An event and the instance that published it, which has heard it already. */
export interface Message {
  readonly from: string;
  readonly name: EventName;
  readonly event: EventMap[EventName];
}

/** A message as it travels through Redis. */
export interface Envelope extends Message {
  readonly name: SentName;
}

/** bigint and Date have no JSON of their own: they travel as `{"$n": "…"}` and `{"$d": milliseconds}`. */
export function write(value: unknown): string {
  return JSON.stringify(tag(value));
}

/** @throws SyntaxError for what is no JSON */
export function read(text: string): unknown {
  return JSON.parse(text, (_key, inner: unknown) => untag(inner));
}

export function encode(envelope: Envelope): string {
  return write(envelope);
}

/** @throws SyntaxError or TypeError for what `encode` did not make */
export function decode(text: string): Envelope {
  const value = read(text);
  if (typeof value !== 'object' || value === null || !('name' in value) || !isSent(value.name)) {
    throw new TypeError('not an event of ours');
  }
  // Instances of one fleet speak one version of EventMap.
  return value as Envelope;
}

function tag(value: unknown): unknown {
  if (typeof value === 'bigint') return { $n: value.toString() };
  if (value instanceof Date) return { $d: value.getTime() };
  if (Array.isArray(value)) return value.map(tag);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, tag(inner)]));
}

function untag(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if ('$n' in value && typeof value.$n === 'string') return BigInt(value.$n);
  if ('$d' in value && typeof value.$d === 'number') return new Date(value.$d);
  return value;
}

/** Whether an event of this name is sent to other instances. */
export function isSent(name: unknown): name is SentName {
  return SENT.some((sent) => sent === name);
}

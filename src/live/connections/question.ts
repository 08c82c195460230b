import {
  comparePositions,
  positionOf,
  type ConnectionPosition,
  type FoundConnections,
  type LocalConnection,
  type LocalConnections,
  type OpenConnection,
} from '../../openConnection.ts';

/** What is asked of each instance. */
export interface Question {
  readonly keyIds: readonly bigint[];
  readonly size: number;
  /** Only what comes after it. */
  readonly after?: ConnectionPosition | null;
  /** Only this connection. */
  readonly no?: number;
  /** And that one is to be closed. */
  readonly close?: boolean;
}

/** What one instance says. */
export interface Answer {
  readonly total: number;
  readonly connections: readonly LocalConnection[];
}

export const NOTHING: Answer = { total: 0, connections: [] };

/** Answers from the connections of this instance, and closes what shall be closed. */
export function answer(local: LocalConnections, instanceId: string, question: Question): Answer {
  const { keyIds, size, after, no, close } = question;
  if (no !== undefined) {
    const found = close === true ? local.close(keyIds, no) : local.find(keyIds, no);
    return found === undefined ? NOTHING : { total: 1, connections: [found] };
  }
  const passed = (connection: Pick<LocalConnection, 'no' | 'openedAtMs'>): boolean =>
    after != null && comparePositions(positionOf({ instanceId, ...connection }), after) <= 0;
  return { total: local.count(keyIds), connections: local.list(keyIds, size, passed) };
}

/** Brings together what the instances say. */
export function merge(answers: ReadonlyMap<string, Answer>, size: number, complete: boolean): FoundConnections {
  const found: { position: ConnectionPosition; connection: OpenConnection }[] = [];
  let total = 0;
  for (const [instanceId, said] of answers) {
    total += said.total;
    for (const local of said.connections) {
      const connection = { ...local, instanceId };
      found.push({ position: positionOf(connection), connection });
    }
  }
  // What one instance says is in order.
  if (answers.size > 1) found.sort((left, right) => comparePositions(left.position, right.position));
  return { connections: found.slice(0, size).map(({ connection }) => connection), total, complete };
}

import type { Customer } from './customer.ts';
import { openLiveStream, type LiveStream, type StreamOptions } from './liveStream.ts';
import type { TestServer } from './server.ts';

/** An open connection, as a client is shown it. */
export interface ShownConnection {
  readonly id: string;
  readonly apiKey: { readonly id: string };
  readonly product: string;
  readonly protocol: string;
  readonly exit: string | null;
  readonly target: string | null;
  readonly clientAddress: string;
  readonly bytesUp: string;
  readonly bytesDown: string;
  readonly openedAt: string;
  readonly ageSeconds: number;
}

export const CONNECTION_FIELDS =
  'id apiKey { id } product protocol exit target clientAddress bytesUp bytesDown openedAt ageSeconds';

/** An event of `subscription connections`. */
export interface ConnectionStreamEvent {
  readonly __typename: 'ConnectionsSnapshot' | 'ConnectionsChange' | 'ConnectionsHeartbeat';
  readonly at: string;
  readonly total: number;
  readonly complete: boolean;
  readonly connections?: readonly ShownConnection[];
  readonly opened?: readonly ShownConnection[];
  readonly changed?: readonly ShownConnection[];
  readonly closed?: readonly string[];
}

const QUERY = `subscription Connections($apiKeyId: ID) {
  connections(apiKeyId: $apiKeyId) {
    __typename at total complete
    ... on ConnectionsSnapshot { connections { ${CONNECTION_FIELDS} } }
    ... on ConnectionsChange { opened { ${CONNECTION_FIELDS} } changed { ${CONNECTION_FIELDS} } closed }
  }
}`;

export interface ConnectionStream extends LiveStream<ConnectionStreamEvent> {
  /** What is open, put together from all events in order. @throws when they do not fit together */
  open(): ShownConnection[];
}

/** Opens the subscription and waits for its snapshot. */
export async function openConnectionStream(options: StreamOptions): Promise<ConnectionStream> {
  const stream = await openLiveStream<ConnectionStreamEvent>({ ...options, field: 'connections', query: QUERY });
  return Object.assign(stream, { open: () => applied(stream.events) });
}

function applied(events: readonly ConnectionStreamEvent[]): ShownConnection[] {
  const open = new Map<string, ShownConnection>();
  for (const [index, { __typename: type, connections, opened, changed, closed }] of events.entries()) {
    if ((type === 'ConnectionsSnapshot') !== (index === 0)) throw new Error(`a ${type} at ${index}`);
    for (const id of closed ?? []) if (!open.delete(id)) throw new Error(`closed, and never opened: ${id}`);
    for (const connection of changed ?? []) {
      if (!open.has(connection.id)) throw new Error(`changed, and never opened: ${connection.id}`);
      open.set(connection.id, connection);
    }
    for (const connection of [...(connections ?? []), ...(opened ?? [])]) {
      if (open.has(connection.id)) throw new Error(`opened twice: ${connection.id}`);
      open.set(connection.id, connection);
    }
  }
  return [...open.values()];
}

export interface ConnectionPage {
  readonly totalCount: number;
  readonly complete: boolean;
  readonly edges: readonly { readonly node: ShownConnection }[];
}

/** The first 100 open connections of the account. */
export async function listConnections(server: TestServer, { token }: Customer): Promise<ConnectionPage> {
  const query = `{ viewer { user { openConnections(first: 100) { totalCount complete edges { node { ${CONNECTION_FIELDS} } } } } } }`;
  const { data, errors } = await server.graphql<{ viewer: { user: { openConnections: ConnectionPage } } }>(
    query,
    {},
    token,
  );
  if (data == null) throw new Error(JSON.stringify(errors));
  return data.viewer.user.openConnections;
}

/** @returns the answer: `{ id }` or `{ code }`, or the code of an error that is no answer */
export async function closeConnection(server: TestServer, { token }: Customer, id: string): Promise<unknown> {
  const query = `mutation ($id: ID!) { closeConnection(input: { id: $id }) {
    ... on CloseConnectionSuccess { id } ... on Error { code } } }`;
  const { data, errors } = await server.graphql(query, { id }, token);
  return data?.['closeConnection'] ?? errors?.[0]?.extensions?.code;
}

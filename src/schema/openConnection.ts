import type { OpenConnection as Row } from '../openConnection.ts';
import { DEFAULT_PAGE, MAX_PAGE } from '../resolvers/connection.ts';
import { closeConnection } from '../resolvers/connections/closeConnection.ts';
import { findConnection } from '../resolvers/connections/findConnection.ts';
import { listConnections, type ConnectionPage } from '../resolvers/connections/listConnections.ts';
import { builder, connectionComplexity } from './builder.ts';
import { ProductEnum, ProxyProtocolEnum } from './enums.ts';
import { failures, NotFoundError } from './errors.ts';
import { KEY_OF_EVENT, keyOfEvent } from './eventKey.ts';
import { connectionId, connectionRef, decodeConnectionId, optionalDatabaseId } from './ids.ts';
import { User } from './user.ts';

export const OpenConnection = builder.objectRef<Row>('OpenConnection');
builder.node(OpenConnection, {
  description:
    'A proxied connection that is open, as it was a moment ago. Nothing of it is kept when it is over: its traffic is in the transactions.',
  id: {
    resolve: ({ instanceId, no }) => `${instanceId}:${no}`,
    description: 'Global id; it ends with the connection.',
  },
  loadOne: (id, ctx) => findConnection(ctx, connectionRef(id)),
  fields: (t) => ({
    apiKey: t.loadable({ ...KEY_OF_EVENT, description: 'The key that it was opened with.', resolve: keyOfEvent }),
    product: t.expose('product', { type: ProductEnum, description: 'What its traffic is sold as.' }),
    protocol: t.expose('protocol', { type: ProxyProtocolEnum, description: 'How the client speaks to the proxy.' }),
    exit: t.exposeString('exit', {
      nullable: true,
      description: 'Where it leaves: a name that stands for the same exit each time. Null until the target is reached.',
    }),
    target: t.exposeString('target', {
      nullable: true,
      description:
        'Where it goes, `host:port` as the client asked for it. Null unless the key has `showTargets`, and for everybody but its owner.',
    }),
    clientAddress: t.exposeString('clientAddress', { description: 'Address of the client.' }),
    bytesUp: t.field({
      type: 'BigInt',
      description: 'Bytes from the client so far, those that are still on their way to the target included.',
      resolve: ({ bytesUp }) => BigInt(bytesUp),
    }),
    bytesDown: t.field({
      type: 'BigInt',
      description: 'Bytes from the target so far, those that are still on their way to the client included.',
      resolve: ({ bytesDown }) => BigInt(bytesDown),
    }),
    openedAt: t.field({
      type: 'DateTime',
      description: 'When the client was let in.',
      resolve: ({ openedAtMs }) => new Date(openedAtMs),
    }),
    ageSeconds: t.int({
      description: 'Whole seconds since then.',
      resolve: ({ openedAtMs }, _args, { now }) => Math.max(0, Math.floor((now().getTime() - openedAtMs) / 1000)),
    }),
  }),
});

interface Edge {
  readonly cursor: string;
  readonly node: Row;
}

const OpenConnectionEdge = builder.objectRef<Edge>('UserOpenConnectionsConnectionEdge').implement({
  description: 'An open connection in a page.',
  fields: (t) => ({
    cursor: t.exposeString('cursor', { description: 'Cursor of this item, for `after`.' }),
    node: t.field({ type: OpenConnection, description: 'The item itself.', resolve: ({ node }) => node }),
  }),
});

/** Forward only: the end of what opens and closes all the time is nowhere to start from. */
const OpenConnections = builder.objectRef<ConnectionPage>('UserOpenConnectionsConnection').implement({
  description:
    'A page of open connections, those that came first first. What stays open is in one page, and in one only.',
  fields: (t) => ({
    edges: t.field({
      type: [OpenConnectionEdge],
      description: 'The items of this page with their cursors.',
      resolve: ({ edges }) => edges,
    }),
    pageInfo: t.field({
      type: builder.pageInfoRef(),
      description: 'Where this page lies.',
      resolve: ({ pageInfo }) => pageInfo,
    }),
    totalCount: t.exposeInt('total', { description: 'How many are open.' }),
    complete: t.exposeBoolean('complete', {
      description:
        'false: a server of the fleet has not answered within 2 seconds; its connections are neither listed nor counted.',
    }),
  }),
});

builder.prismaObjectFields(User, (t) => ({
  openConnections: t.field({
    type: OpenConnections,
    description: 'Proxied connections that are open now, on all servers.',
    args: {
      first: t.arg.int({
        description: `How many items from the start: ${DEFAULT_PAGE} by default, at most ${MAX_PAGE}.`,
      }),
      after: t.arg.string({ description: 'Only items after this cursor.' }),
      apiKeyId: t.arg.id({ description: 'Only of this key (global id); NOT_FOUND when it is not one of the user.' }),
    },
    complexity: connectionComplexity,
    resolve: (user, { apiKeyId, first, after }, ctx) =>
      listConnections(ctx, user.id, { first, after, apiKeyId: optionalDatabaseId('ApiKey', apiKeyId) }),
  }),
}));

const CloseConnectionInput = builder.inputType('CloseConnectionInput', {
  description: 'The connection to close.',
  fields: (t) => ({ id: t.id({ required: true, description: 'Global id of the connection.' }) }),
});

const CloseConnectionSuccess = builder.objectRef<Pick<Row, 'instanceId' | 'no'>>('CloseConnectionSuccess').implement({
  description: 'The connection was reset on both sides; what it had transferred is billed.',
  fields: (t) => ({ id: t.id({ description: 'Global id that it had.', resolve: connectionId }) }),
});

builder.mutationField('closeConnection', (t) =>
  t.withAuth({ manage: true }).field({
    type: CloseConnectionSuccess,
    description:
      'Ends one proxied connection at once, on whatever server it is. NOT_FOUND when it is over already, or not one of yours. UNAVAILABLE when its server does not answer within 2 seconds; it may be closed all the same. The client may connect again: to keep it out, restrict or revoke the key.',
    args: { input: t.arg({ type: CloseConnectionInput, required: true, description: 'Which connection.' }) },
    errors: failures(NotFoundError),
    resolve: (_root, { input }, ctx) => closeConnection(ctx, decodeConnectionId(input.id)),
  }),
);

import type { OpenConnection as Row } from '../openConnection.ts';
import type {
  ConnectionsChange,
  ConnectionsEvent,
  ConnectionsHeartbeat,
  ConnectionsSnapshot,
} from '../resolvers/connections/connectionStream.ts';
import { MAX_SHOWN, subscribeConnections } from '../resolvers/connections/subscribeConnections.ts';
import { builder } from './builder.ts';
import { connectionId, optionalDatabaseId } from './ids.ts';
import { OpenConnection } from './openConnection.ts';

const ConnectionsEventInterface = builder.interfaceRef<ConnectionsEvent>('ConnectionsEvent').implement({
  description: 'An event of the live view of open connections.',
  resolveType: (event) => event.__typename,
  fields: (t) => ({
    at: t.expose('at', { type: 'DateTime', description: 'When.' }),
    total: t.exposeInt('total', { description: `How many are open; the first ${MAX_SHOWN} of them are shown.` }),
    complete: t.exposeBoolean('complete', {
      description: 'false: a server of the fleet does not answer; what is shown of it is what it said before.',
    }),
  }),
});

/** What many connections cost at most, about; for the price of the field. */
const complexity = { field: 1, multiplier: 50 };

const rows = (description: string, of: 'opened' | 'changed') => ({
  type: [OpenConnection] as [typeof OpenConnection],
  description,
  complexity,
  resolve: (event: ConnectionsChange): readonly Row[] => event[of],
});

builder.objectRef<ConnectionsSnapshot>('ConnectionsSnapshot').implement({
  description: 'What is open, the first event of every stream.',
  interfaces: [ConnectionsEventInterface],
  fields: (t) => ({
    connections: t.field({
      type: [OpenConnection],
      description: `The connections that came first, at most ${MAX_SHOWN}.`,
      complexity,
      resolve: ({ connections }) => connections,
    }),
  }),
});

builder.objectRef<ConnectionsChange>('ConnectionsChange').implement({
  description: 'What has become different since the last event; a slow reader hears of it once.',
  interfaces: [ConnectionsEventInterface],
  fields: (t) => ({
    opened: t.field(rows('Connections that are shown from now on.', 'opened')),
    changed: t.field(
      rows('Connections that have transferred bytes or reached their target, as they are now.', 'changed'),
    ),
    closed: t.idList({
      description: 'Global ids of connections that are over, or not among the first ones any more.',
      resolve: ({ closed }) => closed.map(connectionId),
    }),
  }),
});

builder.objectRef<ConnectionsHeartbeat>('ConnectionsHeartbeat').implement({
  description: 'The stream is alive; at least every 5 seconds without other events.',
  interfaces: [ConnectionsEventInterface],
});

builder.subscriptionField('connections', (t) =>
  t.withAuth({ authenticated: true }).field({
    type: ConnectionsEventInterface,
    description:
      'Open connections of the account, live: a snapshot, then at most once a second what has become different.',
    args: {
      apiKeyId: t.arg.id({ description: 'Only of this key (global id); NOT_FOUND when it is not one of yours.' }),
    },
    subscribe: (_root, { apiKeyId }, ctx) =>
      subscribeConnections(ctx, { apiKeyId: optionalDatabaseId('ApiKey', apiKeyId) }),
    resolve: (event) => event,
  }),
);

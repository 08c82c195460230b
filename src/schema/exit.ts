import type { ExitState } from '../context.ts';
import { usersById } from '../resolvers/accounts/usersById.ts';
import { exitsOfAccount, listExits, visibleExit } from '../resolvers/exits/listExits.ts';
import { builder } from './builder.ts';
import { ProductEnum } from './enums.ts';
import { User } from './user.ts';

/** How many exits there are usually, for the price of the field. */
const USUAL_EXITS = 20;

const ExitKindEnum = builder.enumType('ExitKind', {
  description: 'How an exit leads out.',
  values: {
    DIRECT: { description: 'From an address of the server, whichever the system takes.' },
    BIND: { description: 'From one address of the server.' },
    SOCKS5: { description: 'Through another proxy, by SOCKS5.' },
    HTTP: { description: 'Through another proxy, by HTTP CONNECT.' },
  } as const satisfies Record<ExitState['kind'], object>,
});

const ExitStateEnum = builder.enumType('ExitState', {
  description: 'Whether an exit can be relied on.',
  values: {
    HEALTHY: { description: 'It works.' },
    QUARANTINED: { description: 'It failed several times in a row and is left alone for a while.' },
    PROBING: { description: 'Its pause is over, and a check or one connection tries it.' },
  } as const satisfies Record<ExitState['state'], object>,
});

const ExitOriginEnum = builder.enumType('ExitOrigin', {
  description: 'Where an exit comes from.',
  values: {
    CONFIGURED: { description: 'EXITS_SHARED or EXITS_DEDICATED.' },
    ADDED: { description: 'An operator added it.' },
  } as const satisfies Record<ExitState['origin'], object>,
});

const ExitFault = builder.objectRef<NonNullable<ExitState['lastError']>>('ExitFault').implement({
  description: 'A failure of an exit.',
  fields: (t) => ({
    detail: t.exposeString('detail', { description: 'What happened.' }),
    at: t.expose('at', { type: 'DateTime', description: 'When.' }),
  }),
});

/** Customers reach their own; what tells the operator's network, or of other customers, is for the operator alone. */
export const Exit = builder.objectRef<ExitState>('Exit');
builder.node(Exit, {
  description:
    'A way out to the internet. State and figures are those of the server that answers; the rest is the same on all.',
  id: { resolve: ({ name }) => name, description: 'Global id.' },
  loadOne: (name, ctx) => visibleExit(ctx, name),
  fields: (t) => ({
    name: t.exposeString('name', {
      description:
        'Name that tells nothing but that it is the same exit: on every server, after every start, and in `usageByExit`.',
    }),
    product: t.expose('product', { type: ProductEnum, description: 'What its traffic is sold as.' }),
    kind: t.expose('kind', { type: ExitKindEnum, description: 'How it leads out.' }),
    state: t.expose('state', { type: ExitStateEnum, description: 'Whether it can be relied on.' }),
  }),
});

builder.objectFields(Exit, (t) => {
  const operator = t.withAuth({ admin: true });
  return {
    label: operator.exposeString('label', {
      description: 'Operator: as configured or added, without the password. Unique in its product.',
    }),
    origin: operator.expose('origin', { type: ExitOriginEnum, description: 'Operator: where it comes from.' }),
    drained: operator.exposeBoolean('drained', { description: 'Operator: it takes no new connections.' }),
    users: operator.loadable({
      type: [User],
      description: 'Operator: users it is reserved for, who leave through their own exits alone; none: everybody.',
      complexity: { field: 1, multiplier: USUAL_EXITS },
      load: (ids: bigint[], ctx) => usersById(ctx.db, ids),
      resolve: ({ accountIds }) => [...accountIds],
    }),
    connections: operator.exposeInt('connections', { description: 'Operator: connections open through it.' }),
    opened: operator.expose('opened', {
      type: 'Float',
      description: 'Operator: connections opened since the server started.',
    }),
    failures: operator.expose('failures', {
      type: 'Float',
      description: 'Operator: failures of its own since the server started.',
    }),
    lastError: operator.field({
      type: ExitFault,
      nullable: true,
      description: 'Operator: its last failure; null when it had none.',
      resolve: ({ lastError }) => lastError ?? null,
    }),
    latencyMs: operator.float({
      nullable: true,
      description: 'Operator: milliseconds it takes to open a connection, averaged; null before the first.',
      resolve: ({ latencyMs }) => latencyMs ?? null,
    }),
    retryAt: operator.field({
      type: 'DateTime',
      nullable: true,
      description: 'Operator: when its pause ends; null while it works.',
      resolve: ({ retryAt }) => retryAt ?? null,
    }),
  };
});

builder.prismaObjectFields(User, (t) => ({
  exits: t.field({
    type: [Exit],
    description:
      'Exits reserved for this account, through which alone it leaves; none: it leaves through those of everybody.',
    complexity: { field: 1, multiplier: USUAL_EXITS },
    resolve: (user, _args, ctx) => exitsOfAccount(ctx, user.id),
  }),
}));

builder.queryField('exits', (t) =>
  t.withAuth({ admin: true }).field({
    type: [Exit],
    description: 'Operator: the ways out of the server that answers, in the order in which they are taken.',
    args: { product: t.arg({ type: ProductEnum, description: 'Only of this product; BROWSER has none.' }) },
    complexity: { field: 1, multiplier: USUAL_EXITS },
    resolve: (_root, { product }, ctx) => listExits(ctx, product ?? null),
  }),
);

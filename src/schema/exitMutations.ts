import { z } from 'zod';

import type { ExitState } from '../context.ts';
import { addExit } from '../resolvers/exits/addExit.ts';
import { assignExit, MAX_ACCOUNTS } from '../resolvers/exits/assignExit.ts';
import { drainExit } from '../resolvers/exits/drainExit.ts';
import { removeExit } from '../resolvers/exits/removeExit.ts';
import { builder } from './builder.ts';
import { ProductEnum } from './enums.ts';
import { ConflictError, failures, NotFoundError } from './errors.ts';
import { Exit } from './exit.ts';
import { databaseId, exitName } from './ids.ts';
import { plainText } from './inputs.ts';

/** Longer than any: a name of a host, and login and password with every byte percent-encoded. */
const MAX_URL = 2_000;

const users = z.array(z.string()).max(MAX_ACCOUNTS, `must be at most ${MAX_ACCOUNTS}`);
const EXIT_ID = { required: true, description: 'Global id of the exit.' } as const;

const AddExitInput = builder.inputType('AddExitInput', {
  description: 'An exit to add.',
  fields: (t) => ({
    product: t.field({
      type: ProductEnum,
      required: true,
      description: 'What its traffic is sold as: SHARED or DEDICATED.',
    }),
    url: t.string({
      required: true,
      validate: plainText.trim().min(1, 'must not be empty').max(MAX_URL, 'is too long'),
      description:
        'As an entry of EXITS_SHARED: `direct`, `bind:IP`, `socks5://user:password@host:port` or `http://user:password@host:port`; what holds one of `%:@/,` is percent-encoded. The password is stored encrypted and never shown.',
    }),
    userIds: t.idList({
      validate: users.nullish(),
      description: `Global ids of users it is reserved for from its first moment on, at most ${MAX_ACCOUNTS}; none: everybody.`,
    }),
  }),
});

const DrainExitInput = builder.inputType('DrainExitInput', {
  description: 'An exit to drain, or to open again.',
  fields: (t) => ({
    id: t.id(EXIT_ID),
    drained: t.boolean({ required: true, description: 'true: it takes no new connections. false: it does.' }),
  }),
});

const AssignExitInput = builder.inputType('AssignExitInput', {
  description: 'Whom to reserve an exit for.',
  fields: (t) => ({
    id: t.id(EXIT_ID),
    userIds: t.idList({
      required: true,
      validate: users,
      description: `Global ids of all users it is for, at most ${MAX_ACCOUNTS}; an empty list: everybody.`,
    }),
  }),
});

const RemoveExitInput = builder.inputType('RemoveExitInput', {
  description: 'An exit to remove.',
  fields: (t) => ({ id: t.id(EXIT_ID) }),
});

function exitSuccess(name: `${string}Success`, description: string, which: string) {
  return builder.objectRef<{ exit: ExitState }>(name).implement({
    description,
    fields: (t) => ({ exit: t.field({ type: Exit, description: which, resolve: ({ exit }) => exit }) }),
  });
}

const NOW = 'The exit as it is now.';
const AddExitSuccess = exitSuccess('AddExitSuccess', 'The exit is there, on other servers within two seconds.', NOW);
const DrainExitSuccess = exitSuccess('DrainExitSuccess', 'So it is, on other servers within two seconds.', NOW);
const AssignExitSuccess = exitSuccess('AssignExitSuccess', 'So it is, on other servers within two seconds.', NOW);
const RemoveExitSuccess = exitSuccess(
  'RemoveExitSuccess',
  'The exit takes nobody any more, on other servers within two seconds.',
  'The exit as it last was.',
);

const toUserIds = (ids: readonly string[]): bigint[] => ids.map((id) => databaseId('User', id));

builder.mutationFields((t) => ({
  addExit: t.withAuth({ admin: true }).field({
    type: AddExitSuccess,
    description: 'Operator: adds an exit, on every server and for good.',
    args: { input: t.arg({ type: AddExitInput, required: true, description: 'The exit.' }) },
    errors: failures(NotFoundError, ConflictError),
    resolve: (_root, { input: { product, url, userIds } }, ctx) =>
      addExit(ctx, { product, url, userIds: toUserIds(userIds ?? []) }),
  }),
  drainExit: t.withAuth({ admin: true }).field({
    type: DrainExitSuccess,
    description:
      'Operator: lets an exit take no new connections, or take them again; those through it go on. Kept for configured exits too. When it was the last of its product for everybody, users without exits of their own are refused (EXIT_UNAVAILABLE) until there is one again; the log warns.',
    args: { input: t.arg({ type: DrainExitInput, required: true, description: 'Which, and what to do.' }) },
    errors: failures(NotFoundError),
    resolve: (_root, { input: { id, drained } }, ctx) => drainExit(ctx, exitName(id), drained),
  }),
  assignExit: t.withAuth({ admin: true }).field({
    type: AssignExitSuccess,
    description:
      'Operator: reserves an exit for users. Who has exits of its own leaves through those alone, and nobody else does; connections that are open go on. Kept for configured exits too.',
    args: { input: t.arg({ type: AssignExitInput, required: true, description: 'Which, and for whom.' }) },
    errors: failures(NotFoundError),
    resolve: (_root, { input: { id, userIds } }, ctx) => assignExit(ctx, exitName(id), toUserIds(userIds)),
  }),
  removeExit: t.withAuth({ admin: true }).field({
    type: RemoveExitSuccess,
    description:
      'Operator: removes an exit that was added. Connections through it go on, sessions move to another exit. EXIT_IS_CONFIGURED for those of the configuration.',
    args: { input: t.arg({ type: RemoveExitInput, required: true, description: 'Which.' }) },
    errors: failures(NotFoundError, ConflictError),
    resolve: (_root, { input: { id } }, ctx) => removeExit(ctx, exitName(id)),
  }),
}));

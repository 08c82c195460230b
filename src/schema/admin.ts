import { z } from 'zod';

import { listUsers } from '../resolvers/admin/listUsers.ts';
import { resumeAccount } from '../resolvers/admin/resumeAccount.ts';
import { suspendAccount } from '../resolvers/admin/suspendAccount.ts';
import { PERMISSIONS, updateUser } from '../resolvers/admin/updateUser.ts';
import { builder, connectionComplexity } from './builder.ts';
import { PlanEnum, RoleEnum } from './enums.ts';
import { failures, NotFoundError } from './errors.ts';
import { databaseId } from './ids.ts';
import { plainText, reason } from './inputs.ts';
import { User, userSuccess } from './user.ts';

builder.queryField('users', (t) =>
  t.withAuth({ admin: true }).connection(
    {
      type: User,
      description:
        'Operator: users by age. Accounts that were merged into another are left out; their numbers find the other.',
      args: {
        search: t.arg.string({
          validate: plainText.trim().min(1, 'must not be empty').max(254, 'is too long').nullish(),
          description: 'Part of an e-mail address, username or wallet address, in any case, or the number of a user.',
        }),
        role: t.arg({ type: RoleEnum, description: 'Only with this role.' }),
        suspended: t.arg.boolean({ description: 'Only those who are suspended, or those who are not.' }),
      },
      complexity: connectionComplexity,
      resolve: (_root, { search, role, suspended, ...args }, ctx) =>
        listUsers(ctx, args, { search: search ?? null, role: role ?? null, suspended: suspended ?? null }),
    },
    {
      name: 'QueryUsersConnection',
      description: 'A page of users.',
      fields: (c) => ({
        totalCount: c.int({
          description: 'How many users match.',
          resolve: (connection) => connection.totalCount(),
        }),
      }),
    },
    { name: 'QueryUsersConnectionEdge', description: 'A user in a page.' },
  ),
);

const userId = { required: true, description: 'Global id of the user.' } as const;

const SuspendAccountInput = builder.inputType('SuspendAccountInput', {
  description: 'Whom to suspend.',
  fields: (t) => ({
    userId: t.id(userId),
    reason: t.string({
      required: true,
      validate: reason,
      description: 'Why; the customer sees it.',
    }),
  }),
});

const ResumeAccountInput = builder.inputType('ResumeAccountInput', {
  description: 'Whose suspension to end.',
  fields: (t) => ({ userId: t.id(userId) }),
});

const UpdateUserInput = builder.inputType('UpdateUserInput', {
  description: 'Rights of a user: an absent field, or null, stays as it is.',
  fields: (t) => ({
    userId: t.id(userId),
    role: t.field({ type: RoleEnum, description: 'What the user may do.' }),
    permissions: t.stringList({
      validate: z.array(z.string()).max(100, 'must be at most 100').nullish(),
      description: `All additional rights the user shall have; there are ${PERMISSIONS.map((one) => `\`${one}\``).join(', ')}.`,
    }),
    plan: t.field({ type: PlanEnum, description: 'Subscription plan.' }),
  }),
});

const SuspendAccountSuccess = userSuccess(
  'SuspendAccountSuccess',
  'The account is suspended: connections and streams end within a second, here; within two on other servers.',
);
const ResumeAccountSuccess = userSuccess('ResumeAccountSuccess', 'The account is not suspended.');
const UpdateUserSuccess = userSuccess('UpdateUserSuccess', 'The user has these rights.');

builder.mutationFields((t) => ({
  suspendAccount: t.withAuth({ admin: true }).field({
    type: SuspendAccountSuccess,
    description:
      'Operator: suspends an account. Its keys and sessions open nothing (ACCOUNT_SUSPENDED) until it is resumed; its credit stays.',
    args: { input: t.arg({ type: SuspendAccountInput, required: true, description: 'Whom, and why.' }) },
    errors: failures(NotFoundError),
    resolve: (_root, { input }, ctx) => suspendAccount(ctx, databaseId('User', input.userId), input.reason),
  }),
  resumeAccount: t.withAuth({ admin: true }).field({
    type: ResumeAccountSuccess,
    description: 'Operator: ends the suspension of an account; nothing happens when it is not suspended.',
    args: { input: t.arg({ type: ResumeAccountInput, required: true, description: 'Whose.' }) },
    errors: failures(NotFoundError),
    resolve: (_root, { input }, ctx) => resumeAccount(ctx, databaseId('User', input.userId)),
  }),
  updateUser: t.withAuth({ admin: true }).field({
    type: UpdateUserSuccess,
    description:
      'Operator: changes role, permissions and plan of a user. Nobody takes the role of an administrator from itself.',
    args: { input: t.arg({ type: UpdateUserInput, required: true, description: 'What to change.' }) },
    errors: failures(NotFoundError),
    resolve: (_root, { input: { userId: id, ...changes } }, ctx) => updateUser(ctx, databaseId('User', id), changes),
  }),
}));

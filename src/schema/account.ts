import { adjustBalance } from '../resolvers/accounts/adjustBalance.ts';
import { createAccount } from '../resolvers/accounts/createAccount.ts';
import { checkLedger, type LedgerFindings } from '../resolvers/accounts/checkLedger.ts';
import { resetUsage } from '../resolvers/accounts/resetUsage.ts';
import type { UserRow } from '../resolvers/accounts/rows.ts';
import { updateLimits } from '../resolvers/accounts/updateLimits.ts';
import type { KeyRow } from '../resolvers/apiKeys/rows.ts';
import type { TransactionRow } from '../resolvers/usage/transactionRows.ts';
import { ApiKey } from './apiKey.ts';
import { builder } from './builder.ts';
import { RoleEnum, WindowEnum } from './enums.ts';
import { ConflictError, CreditError, failures, NotFoundError } from './errors.ts';
import { databaseId } from './ids.ts';
import { emailAddress, newPassword, reason, grant, limitFields, MAX_GRANT_CREDITS, plainText } from './inputs.ts';
import { Transaction } from './transaction.ts';
import { User, userSuccess } from './user.ts';

const CreateAccountInput = builder.inputType('CreateAccountInput', {
  description: 'A new account with a verified e-mail address.',
  fields: (t) => ({
    email: t.string({
      required: true,
      validate: emailAddress,
      description: 'E-mail address; kept in lower case.',
    }),
    password: t.string({
      required: true,
      validate: newPassword,
      description: 'Password, at least 8 characters.',
    }),
    username: t.string({
      validate: plainText.trim().min(1, 'must not be empty').max(50, 'is too long').nullish(),
      description: 'Display name, unique.',
    }),
    role: t.field({ type: RoleEnum, required: true, defaultValue: 'USER', description: 'What the account may do.' }),
    credits: t.field({
      type: 'Credits',
      validate: grant.min(0n, 'must not be negative').nullish(),
      description: `Credit to begin with: an adjustment, at most ${MAX_GRANT_CREDITS}.`,
    }),
  }),
});

const UpdateLimitsInput = builder.inputType('UpdateLimitsInput', {
  description: 'Limits of the whole account: an absent field stays as it is, null clears.',
  fields: (t) => limitFields(t, 'account'),
});

const AdjustBalanceInput = builder.inputType('AdjustBalanceInput', {
  description: 'A correction of a balance.',
  fields: (t) => ({
    userId: t.id({ required: true, description: 'Global id of the user.' }),
    amount: t.field({
      type: 'Credits',
      required: true,
      validate: grant.refine((amount) => amount !== 0n, 'must not be zero'),
      description: `Signed: positive gives, negative takes; at most ${MAX_GRANT_CREDITS} either way, and what a balance holds: about 9.2 × 10^9 credits.`,
    }),
    reason: t.string({
      required: true,
      validate: reason,
      description: 'Why; the customer sees it.',
    }),
    idempotencyKey: t.string({
      required: true,
      validate: plainText.min(1, 'must not be empty').max(200, 'is too long'),
      description: 'Made by the caller: the same key adjusts once. IDEMPOTENCY_MISMATCH with another user or amount.',
    }),
  }),
});

const ResetUsageInput = builder.inputType('ResetUsageInput', {
  description: 'A counter to put back to zero.',
  fields: (t) => ({
    apiKeyId: t.id({ required: true, description: 'Global id of the API key, of any account.' }),
    window: t.field({ type: WindowEnum, required: true, description: 'Which window.' }),
  }),
});

const CreateAccountSuccess = userSuccess('CreateAccountSuccess', 'The account was created.');
const UpdateLimitsSuccess = userSuccess('UpdateLimitsSuccess', 'The limits hold, for open connections too.');

interface Adjusted {
  readonly user: UserRow;
  readonly transaction: TransactionRow;
}

const AdjustBalanceSuccess = builder.objectRef<Adjusted>('AdjustBalanceSuccess').implement({
  description: 'The balance was adjusted, now or by an earlier call with the same idempotency key.',
  fields: (t) => ({
    user: t.field({ type: User, description: 'The user with the balance of now.', resolve: ({ user }) => user }),
    transaction: t.field({ type: Transaction, description: 'The adjustment.', resolve: (done) => done.transaction }),
  }),
});

const ResetUsageSuccess = builder.objectRef<{ apiKey: KeyRow }>('ResetUsageSuccess').implement({
  description: 'The counter restarted at zero; transactions and balance stay.',
  fields: (t) => ({
    apiKey: t.field({ type: ApiKey, description: 'The key as it is now.', resolve: ({ apiKey }) => apiKey }),
  }),
});

const LedgerCheck = builder.objectRef<LedgerFindings>('LedgerCheck').implement({
  description: 'Result of checking the whole ledger.',
  fields: (t) => ({
    drift: t.expose('drift', {
      type: 'Credits',
      description: 'Sum of the absolute differences between balances and their entries and open hours: 0 when sound.',
    }),
    violations: t.exposeStringList('violations', { description: 'One line per violated invariant.' }),
  }),
});

builder.mutationFields((t) => ({
  createAccount: t.withAuth({ admin: true }).field({
    type: CreateAccountSuccess,
    description: 'Operator: creates an account.',
    args: { input: t.arg({ type: CreateAccountInput, required: true, description: 'The account to create.' }) },
    errors: failures(ConflictError),
    resolve: (_root, { input }, ctx) => createAccount(ctx, input),
  }),
  updateLimits: t.withAuth({ manage: true }).field({
    type: UpdateLimitsSuccess,
    description: 'Changes the limits of the whole account; open connections obey at once.',
    args: { input: t.arg({ type: UpdateLimitsInput, required: true, description: 'What to change.' }) },
    errors: failures(),
    resolve: (_root, { input }, ctx) => updateLimits(ctx, input),
  }),
  adjustBalance: t.withAuth({ admin: true }).field({
    type: AdjustBalanceSuccess,
    description: 'Operator: gives or takes credit, exactly once per idempotency key.',
    args: { input: t.arg({ type: AdjustBalanceInput, required: true, description: 'The correction.' }) },
    errors: failures(NotFoundError, ConflictError, CreditError),
    resolve: (_root, { input: { userId, ...rest } }, ctx) => adjustBalance(ctx, databaseId('User', userId), rest),
  }),
  resetUsage: t.withAuth({ admin: true }).field({
    type: ResetUsageSuccess,
    description: 'Operator: puts the counter of one window of an API key back to zero.',
    args: { input: t.arg({ type: ResetUsageInput, required: true, description: 'Which counter.' }) },
    errors: failures(NotFoundError),
    resolve: (_root, { input }, ctx) => resetUsage(ctx, databaseId('ApiKey', input.apiKeyId), input.window),
  }),
}));

builder.queryField('ledgerCheck', (t) =>
  t.withAuth({ admin: true }).field({
    type: LedgerCheck,
    description: 'Operator: checks every invariant of the ledger. Reads all of it.',
    resolve: (_root, _args, ctx) => checkLedger(ctx),
  }),
);

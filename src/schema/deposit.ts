import { DEPOSIT_CHAINS, submitDeposit, type SubmittedDeposit } from '../resolvers/deposits/submitDeposit.ts';
import { builder } from './builder.ts';
import { TransactionStatusEnum } from './enums.ts';
import { failures } from './errors.ts';
import { plainText } from './inputs.ts';

const CHAINS = DEPOSIT_CHAINS.map(({ id, name, permission }) =>
  permission === undefined ? `${id} ${name}` : `${id} ${name} (with the permission \`${permission}\`)`,
).join(', ');

const DepositCurrencyEnum = builder.enumType('DepositCurrency', {
  description: 'What a deposit is paid in.',
  values: {
    USDT: { description: 'Tether USD.' },
    ETH: { description: 'The native currency of the chain.' },
  } as const,
});

const SubmitDepositInput = builder.inputType('SubmitDepositInput', {
  description: 'A payment that was made.',
  fields: (t) => ({
    txHash: t.string({
      required: true,
      validate: plainText.max(200, 'is too long'),
      description: 'Hash of the transaction: `0x` and 64 hexadecimal digits, in any case.',
    }),
    currency: t.field({
      type: DepositCurrencyEnum,
      required: true,
      defaultValue: 'USDT',
      description: 'What it was paid in.',
    }),
    chainId: t.int({
      required: true,
      defaultValue: 1,
      description: `Chain: ${CHAINS}.`,
    }),
  }),
});

const SubmitDepositSuccess = builder.objectRef<SubmittedDeposit>('SubmitDepositSuccess').implement({
  description: 'The deposit is known; the amount is read on the chain.',
  fields: (t) => ({
    status: t.expose('status', { type: TransactionStatusEnum, description: 'Where it stands.' }),
  }),
});

builder.mutationField('submitDeposit', (t) =>
  t.withAuth({ manage: true }).field({
    type: SubmitDepositSuccess,
    description:
      'Tells of a payment on a chain. This version checks the input and does not take deposits yet: it answers NOT_IMPLEMENTED.',
    args: { input: t.arg({ type: SubmitDepositInput, required: true, description: 'The payment.' }) },
    errors: failures(),
    resolve: (_root, { input }, ctx) => submitDeposit(ctx, input),
  }),
);

import { z } from 'zod';

import { createWalletChallenge, type IssuedChallenge } from '../resolvers/wallets/createWalletChallenge.ts';
import { linkWallet, type LinkedWallet } from '../resolvers/wallets/linkWallet.ts';
import type { ChallengePurpose } from '../resolvers/wallets/message.ts';
import { signInWithWallet } from '../resolvers/wallets/signInWithWallet.ts';
import { unlinkWallet } from '../resolvers/wallets/unlinkWallet.ts';
import { builder } from './builder.ts';
import { SessionKindEnum } from './enums.ts';
import { AuthenticationError, ConflictError, failures, ForbiddenError, InputError, ThrottledError } from './errors.ts';
import { plainText } from './inputs.ts';
import { signedInSuccess } from './session.ts';
import { User, userSuccess } from './user.ts';

/** Ours have about 400 characters. Reading hostile ones takes time by the square of their length: here 2 ms. */
const MAX_MESSAGE_LENGTH = 1_000;
/** A wallet of several owners that is not deployed yet says much; each 65 bytes of its owners little. */
const MAX_SIGNATURE_BYTES = 8_192;

/** Anything but what the database cannot hold; it has several lines. */
const message = z
  .string()
  .min(1, 'must not be empty')
  .max(MAX_MESSAGE_LENGTH, 'is too long')
  .refine((text) => !/[\0\p{Cs}]/u.test(text), 'must not hold U+0000 or unpaired surrogates');
const signature = z
  .string()
  .max(2 + 2 * MAX_SIGNATURE_BYTES, `has more than ${MAX_SIGNATURE_BYTES} bytes`)
  .regex(/^0x(?:[0-9a-fA-F]{2})*$/, 'must be 0x and hexadecimal digits, two for each byte');
/** Whether it is an address is said by the operation, for every way to give one. */
const address = plainText.max(100, 'is too long');
const chainId = z.bigint().min(1n, 'must be positive').max(BigInt(Number.MAX_SAFE_INTEGER), 'is too large');

const ChallengePurposeEnum = builder.enumType('ChallengePurpose', {
  description: 'What signing a message is for. The message says it; it is good for nothing else.',
  values: {
    SIGN_IN: { description: 'For `signInWithWallet`.' },
    LINK: { description: 'For `linkWallet`.' },
  } as const satisfies Record<ChallengePurpose, object>,
});

const CreateWalletChallengeInput = builder.inputType('CreateWalletChallengeInput', {
  description: 'Which wallet is going to sign.',
  fields: (t) => ({
    address: t.string({
      required: true,
      validate: address,
      description: 'Ethereum address, in one case or with the right checksum (EIP-55).',
    }),
    purpose: t.field({
      type: ChallengePurposeEnum,
      required: true,
      defaultValue: 'SIGN_IN',
      description: 'What for.',
    }),
    chainId: t.field({
      type: 'BigInt',
      required: true,
      defaultValue: 1n,
      validate: chainId,
      description: 'Chain of the wallet (EIP-155): contracts are asked there. 1 does for every plain wallet.',
    }),
  }),
});

const SignInWithWalletInput = builder.inputType('SignInWithWalletInput', {
  description: 'A message that `createWalletChallenge` gave out to sign in, and its signature.',
  fields: (t) => ({
    address: t.string({ required: true, validate: address, description: 'Who signed.' }),
    message: t.string({ required: true, validate: message, description: 'The message, unchanged.' }),
    signature: t.string({
      required: true,
      validate: signature,
      description: `EIP-191 of a plain wallet, EIP-1271 or ERC-6492 of a contract; at most ${MAX_SIGNATURE_BYTES} bytes.`,
    }),
    kind: t.field({
      type: SessionKindEnum,
      required: true,
      defaultValue: 'GRAPHQL',
      description: 'What kind of session to open.',
    }),
  }),
});

const LinkWalletInput = builder.inputType('LinkWalletInput', {
  description: 'A message that the wallet signed.',
  fields: (t) => ({
    address: t.string({ required: true, validate: address, description: 'Who signed.' }),
    signature: t.string({ required: true, validate: signature, description: 'As for `signInWithWallet`.' }),
    message: t.string({
      validate: message.nullish(),
      description: 'The message, given out to link. Absent: any such message that the wallet has outstanding.',
    }),
    acceptSignIn: t.boolean({
      defaultValue: false,
      description:
        'Without `message`: take one given out to sign in, too, as the `lpf` routes document it. Leave it off, so that a signature made to sign in cannot be used to link.',
    }),
  }),
});

const UnlinkWalletInput = builder.inputType('UnlinkWalletInput', {
  description: 'Which wallet to unlink.',
  fields: (t) => ({
    address: t.string({ validate: address.nullish(), description: 'Only if it is this one.' }),
  }),
});

const CreateWalletChallengeSuccess = builder.objectRef<IssuedChallenge>('CreateWalletChallengeSuccess').implement({
  description: 'A message to be signed (EIP-4361), good for one use.',
  fields: (t) => ({
    message: t.exposeString('message', { description: 'To be signed as it is, by personal_sign (EIP-191).' }),
    nonce: t.exposeString('nonce', { description: 'The number in the message, used once: 32 hexadecimal digits.' }),
    expiresAt: t.expose('expiresAt', { type: 'DateTime', description: 'Until when, 5 minutes from now.' }),
  }),
});

const SignInWithWalletSuccess = signedInSuccess(
  'SignInWithWalletSuccess',
  'A session was opened; the first time an account too.',
);

const LinkWalletSuccess = builder.objectRef<LinkedWallet>('LinkWalletSuccess').implement({
  description: 'The wallet is linked: it can sign in.',
  fields: (t) => ({
    user: t.field({ type: User, description: 'The user as it is now.', resolve: ({ user }) => user }),
    merged: t.exposeBoolean('merged', {
      description:
        'The wallet had an account of its own. Its credit, keys, transactions, webhook and higher plan are part of this one now; its sessions have ended.',
    }),
  }),
});

const UnlinkWalletSuccess = userSuccess('UnlinkWalletSuccess', 'The wallet no longer signs in here.');

builder.mutationFields((t) => ({
  createWalletChallenge: t.field({
    type: CreateWalletChallengeSuccess,
    description:
      'Gives out a message for a wallet to sign. A wallet may have several: whoever else asks voids none of them. A client that asks 60 times within 15 minutes, or has 20 of one wallet outstanding, is THROTTLED.',
    args: { input: t.arg({ type: CreateWalletChallengeInput, required: true, description: 'Which wallet.' }) },
    errors: { types: [InputError, ThrottledError] },
    resolve: (_root, { input }, ctx) => createWalletChallenge(ctx, input),
  }),
  signInWithWallet: t.field({
    type: SignInWithWalletSuccess,
    description:
      'Opens a session with a wallet: a key, or a contract on the chain of the message. INVALID_CHALLENGE: ask for another message; INVALID_SIGNATURE: 10 within 15 minutes per client and wallet, 100 per client, then THROTTLED, and so are contracts after 30 questions to their chain.',
    args: { input: t.arg({ type: SignInWithWalletInput, required: true, description: 'What was signed.' }) },
    errors: { types: [AuthenticationError, ForbiddenError, InputError, ThrottledError] },
    resolve: (_root, { input }, ctx) => signInWithWallet(ctx, input),
  }),
  linkWallet: t.withAuth({ manage: true }).field({
    type: LinkWalletSuccess,
    description:
      'Links a wallet to the account. An account that this wallet alone could open is merged into the caller’s. WALLET_TAKEN: somebody can open its account otherwise; WALLET_ALREADY_LINKED: the caller has another wallet; MERGE_LIMIT_REACHED: one account would have over 100 active keys, or over 20 merged into it. An account with an e-mail address is told by mail.',
    args: { input: t.arg({ type: LinkWalletInput, required: true, description: 'What was signed.' }) },
    errors: failures(ConflictError, ThrottledError),
    resolve: (_root, { input }, ctx) => linkWallet(ctx, input),
  }),
  unlinkWallet: t.withAuth({ manage: true }).field({
    type: UnlinkWalletSuccess,
    description:
      'Unlinks the wallet of the account, and tells so by mail. LAST_CREDENTIAL when nobody could sign in without it.',
    args: { input: t.arg({ type: UnlinkWalletInput, required: true, description: 'Which wallet.' }) },
    errors: failures(ConflictError),
    resolve: (_root, { input }, ctx) => unlinkWallet(ctx, input),
  }),
}));

import { changePassword } from '../resolvers/auth/changePassword.ts';
import { requestPasswordReset } from '../resolvers/auth/requestPasswordReset.ts';
import { resendVerification } from '../resolvers/auth/resendVerification.ts';
import { resetPassword } from '../resolvers/auth/resetPassword.ts';
import { signUp } from '../resolvers/auth/signUp.ts';
import { verifyEmail } from '../resolvers/auth/verifyEmail.ts';
import { builder } from './builder.ts';
import { LanguageEnum } from './enums.ts';
import { ConflictError, failures, InputError, ThrottledError } from './errors.ts';
import { claimedPassword, emailAddress, newPassword, plainText } from './inputs.ts';
import { userSuccess } from './user.ts';

const mailToken = plainText.min(1, 'must not be empty').max(200, 'is too long');
/** `0x31b6...`: what accounts that sign in with a wallet are called. */
const SHORTENED_WALLET = /^0x[0-9a-f]*(?:\.\.|…)/i;
const username = plainText
  .trim()
  .min(3, 'must have at least 3 characters')
  .max(32, 'must have at most 32 characters')
  .refine((name) => !SHORTENED_WALLET.test(name), 'must not look like a wallet address');

const SignUpInput = builder.inputType('SignUpInput', {
  description: 'Who wants an account.',
  fields: (t) => ({
    username: t.string({
      required: true,
      validate: username,
      description: 'Display name, unique, 3 to 32 characters; not like a shortened wallet address.',
    }),
    email: t.string({ required: true, validate: emailAddress, description: 'E-mail address; kept in lower case.' }),
    password: t.string({ required: true, validate: newPassword, description: 'Password, at least 8 characters.' }),
    language: t.field({
      type: LanguageEnum,
      required: true,
      defaultValue: 'EN',
      description: 'Language of the mails to this account.',
    }),
  }),
});

const VerifyEmailInput = builder.inputType('VerifyEmailInput', {
  description: 'Proof that a mail was received.',
  fields: (t) => ({
    token: t.string({ required: true, validate: mailToken, description: 'Token of the link in the mail.' }),
  }),
});

const addressInput = (name: string, description: string) =>
  builder.inputType(name, {
    description,
    fields: (t) => ({
      email: t.string({ required: true, validate: emailAddress, description: 'E-mail address, in any case.' }),
    }),
  });
const ResendVerificationInput = addressInput('ResendVerificationInput', 'Where to send the link again.');
const RequestPasswordResetInput = addressInput('RequestPasswordResetInput', 'Where to send the link.');

const ResetPasswordInput = builder.inputType('ResetPasswordInput', {
  description: 'A new password, by a mail.',
  fields: (t) => ({
    token: t.string({
      required: true,
      validate: mailToken,
      description: 'Token of the mail; works once, for an hour.',
    }),
    password: t.string({ required: true, validate: newPassword, description: 'New password, at least 8 characters.' }),
  }),
});

const ChangePasswordInput = builder.inputType('ChangePasswordInput', {
  description: 'A new password, by the current one.',
  fields: (t) => ({
    currentPassword: t.string({
      required: true,
      validate: claimedPassword,
      description: 'Password so far.',
    }),
    newPassword: t.string({
      required: true,
      validate: newPassword,
      description: 'New password, at least 8 characters.',
    }),
  }),
});

interface Addressed {
  readonly email: string;
}

const success = (name: string, description: string, about: string) =>
  builder
    .objectRef<Addressed>(name)
    .implement({ description, fields: (t) => ({ email: t.exposeString('email', { description: about }) }) });

const UNDERSTOOD = 'The address as it was understood, lower case; whether anybody has it is not said.';
const SignUpSuccess = success('SignUpSuccess', 'A mail is on its way; follow its link to use the account.', UNDERSTOOD);
const ResendVerificationSuccess = success(
  'ResendVerificationSuccess',
  'If there is an account to confirm, a mail is on its way.',
  UNDERSTOOD,
);
const RequestPasswordResetSuccess = success(
  'RequestPasswordResetSuccess',
  'If there is an account, a mail is on its way.',
  UNDERSTOOD,
);
const VerifyEmailSuccess = success(
  'VerifyEmailSuccess',
  'The address is confirmed: sign in.',
  'The address that was confirmed.',
);
const ResetPasswordSuccess = success(
  'ResetPasswordSuccess',
  'The new password holds, every session was ended: sign in. API keys work on.',
  'The address to sign in with.',
);

const ChangePasswordSuccess = userSuccess(
  'ChangePasswordSuccess',
  'The new password holds. Other sessions were ended; API keys work on.',
);

const THROTTLE = '5 mails within 15 minutes per client and address, 20 per client, then THROTTLED.';
/** What somebody without a credential may be answered. */
const mail = { types: [InputError, ThrottledError] };

builder.mutationFields((t) => ({
  signUp: t.field({
    type: SignUpSuccess,
    description: `Sends a link that makes an account when it is followed; until then the username is reserved, for 24 hours. An address that has an account gets the same answer, and a mail that says so. ${THROTTLE}`,
    args: { input: t.arg({ type: SignUpInput, required: true, description: 'The account to make.' }) },
    errors: { types: [ConflictError, InputError, ThrottledError] },
    resolve: (_root, { input }, ctx) => signUp(ctx, input),
  }),
  verifyEmail: t.field({
    type: VerifyEmailSuccess,
    description:
      'Confirms an e-mail address. The same token answers the same for 24 hours, with one effect; others are INVALID_TOKEN.',
    args: { input: t.arg({ type: VerifyEmailInput, required: true, description: 'The token.' }) },
    errors: { types: [InputError] },
    resolve: (_root, { input }, ctx) => verifyEmail(ctx, input.token),
  }),
  resendVerification: t.field({
    type: ResendVerificationSuccess,
    description: `Sends the link that confirms an address again. The answer does not tell whether there is an account. ${THROTTLE}`,
    args: { input: t.arg({ type: ResendVerificationInput, required: true, description: 'The address.' }) },
    errors: mail,
    resolve: (_root, { input }, ctx) => resendVerification(ctx, input.email),
  }),
  requestPasswordReset: t.field({
    type: RequestPasswordResetSuccess,
    description: `Sends a link to choose a new password. The answer does not tell whether there is an account. ${THROTTLE}`,
    args: { input: t.arg({ type: RequestPasswordResetInput, required: true, description: 'The address.' }) },
    errors: mail,
    resolve: (_root, { input }, ctx) => requestPasswordReset(ctx, input.email),
  }),
  resetPassword: t.field({
    type: ResetPasswordSuccess,
    description:
      'Sets a new password with the token of a mail, once (INVALID_TOKEN). Every session of the user ends; API keys work on.',
    args: { input: t.arg({ type: ResetPasswordInput, required: true, description: 'Token and new password.' }) },
    errors: { types: [InputError] },
    resolve: (_root, { input }, ctx) => resetPassword(ctx, input),
  }),
  changePassword: t.withAuth({ manage: true }).field({
    type: ChangePasswordSuccess,
    description:
      'Sets a new password with the current one (WRONG_PASSWORD counts as a failed sign-in). Other sessions of the user end; API keys work on.',
    args: { input: t.arg({ type: ChangePasswordInput, required: true, description: 'Both passwords.' }) },
    errors: failures(ThrottledError),
    resolve: (_root, { input }, ctx) => changePassword(ctx, input),
  }),
}));

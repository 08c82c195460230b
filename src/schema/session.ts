import { signIn, type SignedIn } from '../resolvers/auth/signIn.ts';
import { builder } from './builder.ts';
import { SessionKindEnum } from './enums.ts';
import { AuthenticationError, ForbiddenError, InputError, ThrottledError } from './errors.ts';
import { claimedPassword, plainText } from './inputs.ts';
import { User } from './user.ts';

const SignInInput = builder.inputType('SignInInput', {
  description: 'Who signs in.',
  fields: (t) => ({
    email: t.string({
      required: true,
      validate: plainText.min(1, 'must not be empty').max(254, 'is too long'),
      description: 'E-mail address, in any case.',
    }),
    password: t.string({
      required: true,
      validate: claimedPassword,
      description: 'Password.',
    }),
    kind: t.field({
      type: SessionKindEnum,
      required: true,
      defaultValue: 'GRAPHQL',
      description: 'What kind of session to open.',
    }),
  }),
});

/** The success of an operation that signs somebody in. */
export function signedInSuccess(name: `${string}Success`, description: string) {
  return builder.objectRef<SignedIn>(name).implement({
    description,
    fields: (t) => ({
      token: t.exposeString('token', { description: 'Session token (JWT): give it as bearer.' }),
      refreshToken: t.exposeString('refreshToken', {
        nullable: true,
        description: 'Buys the next token when this one has expired; null for LPF sessions.',
      }),
      expiresAt: t.expose('expiresAt', { type: 'DateTime', description: 'When `token` expires.' }),
      user: t.field({ type: User, description: 'Who signed in.', resolve: ({ user }) => user }),
    }),
  });
}

const SignInSuccess = signedInSuccess('SignInSuccess', 'A session was opened.');

builder.mutationField('signIn', (t) =>
  t.field({
    type: SignInSuccess,
    description:
      'Opens a session with e-mail address and password. INVALID_CREDENTIALS does not tell which was wrong; EMAIL_NOT_VERIFIED and ACCOUNT_SUSPENDED are said only after the right password. 10 failures within 15 minutes per address and e-mail answer THROTTLED.',
    args: { input: t.arg({ type: SignInInput, required: true, description: 'Who signs in.' }) },
    errors: { types: [AuthenticationError, ForbiddenError, InputError, ThrottledError] },
    resolve: (_root, { input }, ctx) => signIn(ctx, input),
  }),
);

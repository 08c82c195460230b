import { listSessions, ownSession, type SessionRow } from '../resolvers/auth/listSessions.ts';
import { refreshSession, type Refreshed } from '../resolvers/auth/refreshSession.ts';
import { revokeSession, type RevokedSessions } from '../resolvers/auth/revokeSession.ts';
import { builder } from './builder.ts';
import { SessionKindEnum } from './enums.ts';
import { AuthenticationError, failures, ForbiddenError, InputError, NotFoundError } from './errors.ts';
import { optionalSessionId } from './ids.ts';
import { plainText } from './inputs.ts';
import { User } from './user.ts';

const Session = builder.objectRef<SessionRow>('Session');
builder.node(Session, {
  description:
    'A sign-in. It ends with its time, by `revokeSession`, when the password is changed by another one or reset, when its refresh token comes back used, and when the account is merged into another.',
  id: { resolve: ({ id }) => id, description: 'Global id.' },
  loadOne: (id, ctx) => ownSession(ctx, id),
  fields: (t) => ({
    kind: t.expose('kind', { type: SessionKindEnum, description: 'What kind of session it is.' }),
    address: t.exposeString('address', { description: 'Address of the client that signed in.' }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When somebody signed in.' }),
    refreshedAt: t.expose('refreshedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When its refresh token was last exchanged; null when it never was.',
    }),
    expiresAt: t.expose('expiresAt', {
      type: 'DateTime',
      description: 'When it ends by itself; every exchange of its refresh token puts that off.',
    }),
    active: t.exposeBoolean('active', { description: 'Neither revoked nor expired.' }),
    current: t.boolean({
      description: 'It is the session that asks.',
      resolve: ({ id }, _args, { viewer }) => viewer?.sessionId === id,
    }),
  }),
});

builder.prismaObjectFields(User, (t) => ({
  sessions: t.field({
    type: [Session],
    description:
      'Sessions that are open: the newest first, at most 100: `revokeSession` with `others` ends more. FORBIDDEN for everybody but the user.',
    complexity: { field: 1, multiplier: 20 },
    resolve: (user, _args, ctx) => listSessions(ctx, user.id),
  }),
}));

const RefreshSessionInput = builder.inputType('RefreshSessionInput', {
  description: 'The refresh token to exchange.',
  fields: (t) => ({
    refreshToken: t.string({
      required: true,
      validate: plainText.max(200, 'is too long'),
      description: 'The last one that was given out. Present no other credential with it.',
    }),
  }),
});

const RefreshSessionSuccess = builder.objectRef<Refreshed>('RefreshSessionSuccess').implement({
  description: 'The session goes on. The token that was exchanged is used up.',
  fields: (t) => ({
    token: t.exposeString('token', { description: 'New session token (JWT): give it as bearer.' }),
    refreshToken: t.exposeString('refreshToken', {
      description: 'Buys the next ones; the same for everybody who exchanges one token within 30 seconds.',
    }),
    expiresAt: t.expose('expiresAt', { type: 'DateTime', description: 'When `token` expires.' }),
    user: t.field({ type: User, description: 'Whose session it is.', resolve: ({ user }) => user }),
  }),
});

const RevokeSessionInput = builder.inputType('RevokeSessionInput', {
  description: 'The sessions to end.',
  fields: (t) => ({
    id: t.id({ description: 'Global id; absent: the session that asks. An API key must name one.' }),
    others: t.boolean({
      defaultValue: false,
      description:
        'Instead every session of the account but the one that asks, listed or not; asked by an API key every one.',
    }),
  }),
});

const RevokeSessionSuccess = builder.objectRef<RevokedSessions>('RevokeSessionSuccess').implement({
  description: 'The sessions are over: their tokens are refused, their streams end.',
  fields: (t) => ({
    session: t.field({
      type: Session,
      nullable: true,
      description: 'The session that ended; null with `others`.',
      resolve: ({ session }) => session,
    }),
    count: t.exposeInt('count', { description: 'How many sessions ended.' }),
  }),
});

builder.mutationFields((t) => ({
  refreshSession: t.field({
    type: RefreshSessionSuccess,
    description:
      'Exchanges a refresh token for new tokens. INVALID_REFRESH_TOKEN when it is not known or was used: a token that comes back more than 30 seconds after its exchange has been stolen, from whom is not known, so the session ends.',
    args: { input: t.arg({ type: RefreshSessionInput, required: true, description: 'What to exchange.' }) },
    errors: { types: [AuthenticationError, ForbiddenError, InputError] },
    resolve: (_root, { input }, ctx) => refreshSession(ctx, input.refreshToken),
  }),
  revokeSession: t.withAuth({ manage: true }).field({
    type: RevokeSessionSuccess,
    description: 'Signs out: ends the session that asks, another one of the account, or all others.',
    args: { input: t.arg({ type: RevokeSessionInput, required: true, description: 'Which sessions.' }) },
    errors: failures(NotFoundError),
    resolve: (_root, { input: { id, others } }, ctx) =>
      revokeSession(ctx, { id: optionalSessionId(id), others: others ?? false }),
  }),
}));

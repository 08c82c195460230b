import { findAudit, listAudit, type AuditRow } from '../resolvers/audit/listAudit.ts';
import { AUDIT_ACTIONS, type AuditAction } from '../resolvers/audit/record.ts';
import { ApiKey } from './apiKey.ts';
import { builder, connectionComplexity } from './builder.ts';
import { encodeNodeId, optionalDatabaseId } from './ids.ts';
import { User } from './user.ts';

const AuditActionEnum = builder.enumType('AuditAction', {
  description: 'Sensitive actions that are put on record.',
  values: Object.fromEntries(
    Object.entries(AUDIT_ACTIONS).map(([action, description]) => [action, { description }]),
  ) as Record<AuditAction, { description: string }>,
});

interface Detail {
  readonly name: string;
  readonly value: string | null;
}

const AuditDetail = builder.objectRef<Detail>('AuditDetail').implement({
  description: 'One fact about an action on record.',
  fields: (t) => ({
    name: t.exposeString('name', { description: 'Which, such as `reason`.' }),
    value: t.exposeString('value', {
      nullable: true,
      description: 'Its value as text; several are joined by ", ". null: none, such as a limit that was cleared.',
    }),
  }),
});

function detailsOf({ detail }: AuditRow): Detail[] {
  return Object.entries(detail).map(([name, value]) => ({
    name,
    value: value === null ? null : Array.isArray(value) ? value.join(', ') : String(value),
  }));
}

const HIDDEN = 'null when the operator did it, except to operators.';

const AuditEntry = builder.objectRef<AuditRow>('AuditEntry');
builder.node(AuditEntry, {
  description: 'A sensitive action: who did what, when and from where. Never changed; it stays for 400 days.',
  id: { resolve: (entry) => entry.id, description: 'Global id.' },
  loadOne: (id, ctx) => findAudit(ctx, BigInt(id)),
  fields: (t) => ({
    at: t.expose('at', { type: 'DateTime', description: 'When.' }),
    accountNumber: t.expose('accountId', {
      type: 'BigInt',
      description: 'Number of the account whose affairs it was: `User.databaseId`, or of an account merged into it.',
    }),
    action: t.expose('action', { type: AuditActionEnum, description: 'What was done.' }),
    byOperator: t.exposeBoolean('byOperator', { description: 'The operator did it; otherwise the account itself.' }),
    operatorNumber: t.expose('actorId', {
      type: 'BigInt',
      nullable: true,
      description: 'Number of the operator who did it (`User.databaseId`); null to everybody but operators.',
    }),
    address: t.exposeString('address', { nullable: true, description: `Address of the client; ${HIDDEN}` }),
    apiKey: t.field({
      type: ApiKey,
      nullable: true,
      description: `API key that was presented; null when it was a session or nothing; ${HIDDEN}`,
      resolve: ({ apiKey }) => apiKey,
    }),
    sessionId: t.id({
      nullable: true,
      description: `Global id of the session that was presented; null when it was an API key or nothing; ${HIDDEN}`,
      resolve: ({ sessionId }) => (sessionId === null ? null : encodeNodeId('Session', sessionId)),
    }),
    detail: t.field({
      type: [AuditDetail],
      description: 'What it was done to, and how.',
      complexity: { field: 1, multiplier: 5 },
      resolve: detailsOf,
    }),
  }),
});

builder.prismaObjectFields(User, (t) => ({
  auditLog: t.connection(
    {
      type: AuditEntry,
      description: 'What was done with this account and with those merged into it, the latest first.',
      args: { action: t.arg({ type: AuditActionEnum, description: 'Only this action.' }) },
      complexity: connectionComplexity,
      resolve: (user, { action, ...args }, ctx) => listAudit(ctx, args, { accountId: user.id, action: action ?? null }),
    },
    { name: 'UserAuditLogConnection', description: 'A page of actions on record.' },
    { name: 'UserAuditLogConnectionEdge', description: 'An action in a page.' },
  ),
}));

builder.queryField('auditLog', (t) =>
  t.withAuth({ admin: true }).connection(
    {
      type: AuditEntry,
      description: 'Operator: what was done with all accounts, the latest first.',
      args: {
        userId: t.arg.id({ description: 'Only with this user (global id), and with accounts merged into it.' }),
        action: t.arg({ type: AuditActionEnum, description: 'Only this action.' }),
      },
      complexity: connectionComplexity,
      resolve: (_root, { userId, action, ...args }, ctx) =>
        listAudit(ctx, args, { accountId: optionalDatabaseId('User', userId), action: action ?? null }),
    },
    { name: 'QueryAuditLogConnection', description: 'A page of actions on record.' },
    { name: 'QueryAuditLogConnectionEdge', description: 'An action in a page.' },
  ),
);

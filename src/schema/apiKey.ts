import { findApiKey } from '../resolvers/apiKeys/findApiKey.ts';
import { KEY_INCLUDE } from '../resolvers/apiKeys/rows.ts';
import { secretsByKey, type SecretRow } from '../resolvers/apiKeys/secretsByKey.ts';
import { AppError, type RefusalCode } from '../errors.ts';
import { KEY_SCOPES } from '../keyRules.ts';
import { PRODUCTS } from '../units.ts';
import { builder } from './builder.ts';
import { KeyScopeEnum, ProductEnum, RefusalCodeEnum } from './enums.ts';
import { databaseId } from './ids.ts';
import { Limits } from './limits.ts';

interface RefusalRow {
  readonly code: RefusalCode;
  readonly message: string;
  readonly at: Date;
}

const Refusal = builder.objectRef<RefusalRow>('Refusal').implement({
  description: 'Why the proxy last refused or ended a connection of a key.',
  fields: (t) => ({
    code: t.expose('code', { type: RefusalCodeEnum, description: 'The reason, for programs.' }),
    message: t.exposeString('message', { description: 'The reason and what to do, for people.' }),
    at: t.expose('at', { type: 'DateTime', description: 'When.' }),
  }),
});

const ApiKeySecret = builder.objectRef<SecretRow>('ApiKeySecret').implement({
  description: 'A secret that opens an API key. A key has one, more while a rotation overlaps.',
  fields: (t) => ({
    preview: t.string({
      description: 'First 8 characters of the secret and "...".',
      resolve: ({ prefix }) => previewOf(prefix),
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was made.' }),
    expiresAt: t.expose('expiresAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When it stops working, because another replaced it; null for the current one.',
    }),
  }),
});

function previewOf(prefix: string): string {
  return `${prefix}...`;
}

/** Fields of a key for which a brief row is enough: what programs poll. */
export const BRIEF_KEY = ['__typename', 'id', 'databaseId', 'name', 'limits'];

export const ApiKey = builder.prismaNode('ApiKey', {
  description: 'A credential for the proxy and the API, with its own limits.',
  nullable: true,
  include: KEY_INCLUDE,
  // The owner stands in the condition: a foreign key is as absent as an unknown one.
  findUnique: (id, ctx) => ({ id: BigInt(id), userId: ctx.viewer?.userId ?? 0n }),
  id: { resolve: (key) => key.id.toString(), description: 'Global id.' },
  fields: (t) => ({
    databaseId: t.expose('id', { type: 'BigInt', description: 'Number of the key, as the `lpf` dialect shows it.' }),
    uuid: t.exposeString('uuid', { description: 'UUID of the key, as other dialects show it.' }),
    name: t.exposeString('name', { description: 'Name given by its owner.' }),
    preview: t.string({
      description: 'First 8 characters of the current secret and "...".',
      resolve: ({ prefix }) => previewOf(prefix),
    }),
    active: t.boolean({
      description: 'Not revoked; it may have expired all the same.',
      resolve: (key) => key.revokedAt === null,
    }),
    limits: t.field({
      type: Limits,
      description: 'Limits of this key, and what it spent; those of the account apply too.',
      resolve: ({ meter }) => {
        if (meter === null) throw new AppError('INTERNAL');
        return meter;
      },
    }),
    secrets: t.loadableList({
      type: ApiKeySecret,
      description: 'Secrets that open the key now, the current one first; none when it is revoked.',
      load: (ids: bigint[], { db }) => secretsByKey(db, ids),
      resolve: ({ id }) => id,
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was created.' }),
    lastUsedAt: t.expose('lastUsedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When it last authenticated, for the proxy or the API: to the minute.',
    }),
    revokedAt: t.expose('revokedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When it was revoked; null while it is active.',
    }),
    lastRefusal: t.field({
      type: Refusal,
      nullable: true,
      description:
        'Why the proxy last refused or ended a connection of this key, written within a second; null when it never did.',
      resolve: ({ refusalCode, refusalMessage, refusedAt }) =>
        refusalCode === null || refusedAt === null
          ? null
          : { code: refusalCode as RefusalCode, message: refusalMessage ?? '', at: refusedAt },
    }),
  }),
});

/** What restricts a key. */
builder.prismaObjectFields(ApiKey, (t) => ({
  scopes: t.field({
    type: [KeyScopeEnum],
    description: 'What the key may do.',
    resolve: ({ scopes }) => KEY_SCOPES.filter((scope) => scopes.includes(scope)),
  }),
  allowedIps: t.stringList({
    nullable: true,
    description: 'Addresses and CIDR networks of the clients that may use the key; null: everybody.',
    resolve: ({ allowedIps }) => (allowedIps.length === 0 ? null : allowedIps),
  }),
  products: t.field({
    type: [ProductEnum],
    nullable: true,
    description: 'Products the key may be used for; null: every one.',
    resolve: ({ products }) =>
      products.length === 0 ? null : PRODUCTS.filter((product) => products.includes(product)),
  }),
  showTargets: t.exposeBoolean('showTargets', {
    description: 'Whether open connections of the key show where they go; what is not shown is not kept.',
  }),
  expiresAt: t.expose('expiresAt', {
    type: 'DateTime',
    nullable: true,
    description: 'From then on the key is refused; null: never.',
  }),
  expired: t.boolean({
    description: 'It is refused because its time has passed; a later `expiresAt` lets it in again.',
    resolve: ({ expiresAt }, _args, { now }) => expiresAt !== null && expiresAt <= now(),
  }),
}));

builder.queryField('apiKey', (t) =>
  t.withAuth({ authenticated: true }).field({
    type: ApiKey,
    nullable: true,
    description: 'One API key of the account, active or revoked. NOT_FOUND when it is unknown or of another account.',
    args: { id: t.arg.id({ required: true, description: 'Global id of the key.' }) },
    resolve: (_root, { id }, ctx) => findApiKey(ctx, databaseId('ApiKey', id)),
  }),
);

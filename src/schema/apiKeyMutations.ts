import { z } from 'zod';

import { createApiKey } from '../resolvers/apiKeys/createApiKey.ts';
import { regenerateApiKey } from '../resolvers/apiKeys/regenerateApiKey.ts';
import { revealApiKey } from '../resolvers/apiKeys/revealApiKey.ts';
import { revokeApiKey } from '../resolvers/apiKeys/revokeApiKey.ts';
import { DEFAULT_GRACE_SECONDS, MAX_GRACE_SECONDS, rotateApiKey } from '../resolvers/apiKeys/rotateApiKey.ts';
import type { KeyRow } from '../resolvers/apiKeys/rows.ts';
import { updateApiKey } from '../resolvers/apiKeys/updateApiKey.ts';
import { ApiKey, BRIEF_KEY } from './apiKey.ts';
import { builder } from './builder.ts';
import { ConflictError, failures, NotFoundError, ThrottledError } from './errors.ts';
import { databaseId } from './ids.ts';
import { limitFields, plainText } from './inputs.ts';
import { restrictionFields } from './keyRestrictions.ts';
import { selectsOnlyAt } from './selection.ts';

const keyName = plainText.trim().min(1, 'must not be empty').max(100, 'must have at most 100 characters');

const CreateApiKeyInput = builder.inputType('CreateApiKeyInput', {
  description: 'A new API key. Absent limits and restrictions are none.',
  fields: (t) => ({
    name: t.string({ required: true, validate: keyName, description: 'Name, 1 to 100 characters.' }),
    ...limitFields(t, 'key'),
    ...restrictionFields(t),
  }),
});

const UpdateApiKeyInput = builder.inputType('UpdateApiKeyInput', {
  description: 'Changes of an API key: an absent field stays as it is, null lifts a limit or restriction.',
  fields: (t) => ({
    id: t.id({ required: true, description: 'Global id of the key.' }),
    name: t.string({
      validate: keyName.nullish(),
      description: 'New name, 1 to 100 characters; null leaves it alone.',
    }),
    ...limitFields(t, 'key'),
    ...restrictionFields(t),
  }),
});

const keyInput = (name: string, description: string) =>
  builder.inputType(name, {
    description,
    fields: (t) => ({ id: t.id({ required: true, description: 'Global id of the key.' }) }),
  });

const RevealApiKeyInput = keyInput('RevealApiKeyInput', 'The key whose secret to show.');
const RegenerateApiKeyInput = keyInput('RegenerateApiKeyInput', 'The key to give a new secret.');
const RevokeApiKeyInput = keyInput('RevokeApiKeyInput', 'The key to revoke.');

const RotateApiKeyInput = builder.inputType('RotateApiKeyInput', {
  description: 'The key to give a new secret, and how long the old one works on.',
  fields: (t) => ({
    id: t.id({ required: true, description: 'Global id of the key.' }),
    graceSeconds: t.int({
      required: true,
      defaultValue: DEFAULT_GRACE_SECONDS,
      validate: z
        .number()
        .min(0, 'must not be negative')
        .max(MAX_GRACE_SECONDS, `must be at most ${MAX_GRACE_SECONDS}`),
      description: `Seconds for which the old secret works on: 0 (it ends at once) to ${MAX_GRACE_SECONDS} (7 days).`,
    }),
  }),
});

interface KeyAndSecret {
  readonly apiKey: KeyRow;
  readonly secret: string;
}

const SECRET = 'The secret in clear: use it as bearer token and as SOCKS5 username.';

const CreateApiKeySuccess = builder.objectRef<KeyAndSecret>('CreateApiKeySuccess').implement({
  description: 'The key was created.',
  fields: (t) => ({
    apiKey: t.field({ type: ApiKey, description: 'The new key.', resolve: ({ apiKey }) => apiKey }),
    secret: t.exposeString('secret', { description: SECRET }),
  }),
});

const UpdateApiKeySuccess = builder.objectRef<{ apiKey: KeyRow }>('UpdateApiKeySuccess').implement({
  description: 'The key was changed; new limits hold for open connections too.',
  fields: (t) => ({
    apiKey: t.field({ type: ApiKey, description: 'The key as it is now.', resolve: ({ apiKey }) => apiKey }),
  }),
});

const RevealApiKeySuccess = builder.objectRef<{ secret: string }>('RevealApiKeySuccess').implement({
  description: 'The secret of the key.',
  fields: (t) => ({ secret: t.exposeString('secret', { description: SECRET }) }),
});

const RegenerateApiKeySuccess = builder.objectRef<KeyAndSecret>('RegenerateApiKeySuccess').implement({
  description: 'The key has a new secret; the old one is dead and its connections are closed.',
  fields: (t) => ({
    apiKey: t.field({ type: ApiKey, description: 'The same key.', resolve: ({ apiKey }) => apiKey }),
    secret: t.exposeString('secret', { description: SECRET }),
  }),
});

const RotateApiKeySuccess = builder.objectRef<KeyAndSecret>('RotateApiKeySuccess').implement({
  description: 'The key has a new secret; the old one works until `expiresAt` in `apiKey.secrets`.',
  fields: (t) => ({
    apiKey: t.field({ type: ApiKey, description: 'The same key.', resolve: ({ apiKey }) => apiKey }),
    secret: t.exposeString('secret', { description: SECRET }),
  }),
});

interface Revoked {
  readonly apiKey: KeyRow;
  readonly connectionsClosed: number;
}

const RevokeApiKeySuccess = builder.objectRef<Revoked>('RevokeApiKeySuccess').implement({
  description: 'The key is dead for good.',
  fields: (t) => ({
    apiKey: t.field({ type: ApiKey, description: 'The revoked key.', resolve: ({ apiKey }) => apiKey }),
    connectionsClosed: t.exposeInt('connectionsClosed', {
      description: 'Proxied connections ended at once on the server that answered; others follow within 2 seconds.',
    }),
  }),
});

builder.mutationFields((t) => ({
  createApiKey: t.withAuth({ manage: true }).field({
    type: CreateApiKeySuccess,
    description:
      'Creates an API key. An account has at most 10 active ones (KEY_LIMIT_REACHED). A key with the scope MANAGE may give another one any rights.',
    args: { input: t.arg({ type: CreateApiKeyInput, required: true, description: 'The key to create.' }) },
    errors: failures(ConflictError),
    resolve: (_root, { input }, ctx) => createApiKey(ctx, input),
  }),
  updateApiKey: t.withAuth({ manage: true }).field({
    type: UpdateApiKeySuccess,
    description:
      'Renames an active API key or changes its limits or restrictions. Open connections obey at once: what is no longer allowed ends.',
    args: { input: t.arg({ type: UpdateApiKeyInput, required: true, description: 'What to change.' }) },
    errors: failures(NotFoundError, ConflictError),
    resolve: (_root, { input: { id, ...changes } }, ctx, info) =>
      updateApiKey(ctx, databaseId('ApiKey', id), changes, selectsOnlyAt(info, ['apiKey'], BRIEF_KEY)),
  }),
  revealApiKey: t.withAuth({ manage: true }).field({
    type: RevealApiKeySuccess,
    description:
      'Shows the secret of an active API key again; an account may do so 30 times within 15 minutes (THROTTLED).',
    args: { input: t.arg({ type: RevealApiKeyInput, required: true, description: 'Which key.' }) },
    errors: failures(NotFoundError, ConflictError, ThrottledError),
    resolve: (_root, { input }, ctx) => revealApiKey(ctx, databaseId('ApiKey', input.id)),
  }),
  regenerateApiKey: t.withAuth({ manage: true }).field({
    type: RegenerateApiKeySuccess,
    description:
      'Gives an active API key a new secret: same id, limits and history. The old secret dies at once. An account may give its keys 30 new secrets within 15 minutes (THROTTLED).',
    args: { input: t.arg({ type: RegenerateApiKeyInput, required: true, description: 'Which key.' }) },
    errors: failures(NotFoundError, ConflictError, ThrottledError),
    resolve: (_root, { input }, ctx) => regenerateApiKey(ctx, databaseId('ApiKey', input.id)),
  }),
  rotateApiKey: t.withAuth({ manage: true }).field({
    type: RotateApiKeySuccess,
    description:
      'Gives an active API key a new secret while the old one works on for a while: same id, limits and history, one budget. What is connected by the old secret ends with it. At most 5 secrets work at once: of more the oldest ends. Counts as a new secret as `regenerateApiKey` does (THROTTLED).',
    args: { input: t.arg({ type: RotateApiKeyInput, required: true, description: 'Which key, and how long.' }) },
    errors: failures(NotFoundError, ConflictError, ThrottledError),
    resolve: (_root, { input: { id, graceSeconds } }, ctx) =>
      rotateApiKey(ctx, { id: databaseId('ApiKey', id), graceSeconds }),
  }),
  revokeApiKey: t.withAuth({ manage: true }).field({
    type: RevokeApiKeySuccess,
    description: 'Revokes an API key for good and ends its connections. A revoked key answers NOT_FOUND.',
    args: { input: t.arg({ type: RevokeApiKeyInput, required: true, description: 'Which key.' }) },
    errors: failures(NotFoundError),
    resolve: (_root, { input }, ctx) => revokeApiKey(ctx, databaseId('ApiKey', input.id)),
  }),
}));

import { instant, nullable, text } from '../../codecs.ts';
import { bigint, credits, flag, numericId } from '../../numbers.ts';
import {
  CreateApiKeyDocument,
  ListApiKeysDocument,
  RegenerateApiKeyDocument,
  RevealApiKeyDocument,
  RevokeApiKeyDocument,
  ShowApiKeyDocument,
  UpdateApiKeyDocument,
} from '../../operations.generated.ts';
import { each, field, inside, within } from '../../shapes.ts';
import { body, optional, param } from '../../sources.ts';
import { route } from '../../table.ts';

const tag = 'Clés API';

const id = param('id', numericId('ApiKey'), 'Identifiant de la clé');

export const limitSources = {
  dailyLimit: optional(body('daily_limit', nullable(credits), 'Crédits par jour UTC ; null : sans limite, 0 : bloqué')),
  weeklyLimit: optional(body('weekly_limit', nullable(credits), 'Crédits par semaine UTC (dès lundi)')),
  monthlyLimit: optional(body('monthly_limit', nullable(credits), 'Crédits par mois UTC')),
};

const limit = field('limit', nullable(credits));
export const limits = within('limits', {
  daily_limit: inside('daily', limit),
  weekly_limit: inside('weekly', limit),
  monthly_limit: inside('monthly', limit),
});

const identity = { id: field('databaseId', bigint), name: field('name', text), key_preview: field('preview', text) };
const state = { active: field('active', flag), ...limits };
const dates = { created_at: field('createdAt', instant), last_used_at: field('lastUsedAt', nullable(instant)) };

export const keyRows = [
  route({
    method: 'GET',
    path: '/keys',
    tag,
    summary: 'Lister vos clés API',
    description: 'Clés actives d’abord ; une clé révoquée reste listée avec `active` à 0.',
    operation: ListApiKeysDocument,
    variables: {},
    at: ['viewer', 'user'],
    reply: { keys: each('apiKeyList', { ...identity, ...state }) },
  }),
  route({
    method: 'POST',
    path: '/keys',
    tag,
    summary: 'Créer une clé API',
    description: 'Max 10 clés actives par utilisateur.',
    operation: CreateApiKeyDocument,
    variables: { input: { name: body('name', text, 'Nom de la clé, 1 à 100 caractères'), ...limitSources } },
    at: ['createApiKey'],
    reply: {
      key: {
        ...within('apiKey', identity),
        key: field('secret', text),
        ...within('apiKey', { ...state, ...dates }),
      },
    },
    errors: ['KEY_LIMIT_REACHED'],
  }),
  route({
    method: 'GET',
    path: '/keys/:id',
    tag,
    summary: "Détail d'une clé",
    operation: ShowApiKeyDocument,
    variables: { id },
    at: ['apiKey'],
    reply: { key: { ...identity, ...state, ...dates } },
    errors: ['NOT_FOUND'],
  }),
  route({
    method: 'PUT',
    path: '/keys/:id',
    tag,
    summary: 'Modifier une clé',
    description: 'Un champ absent ne change pas ; null supprime une limite.',
    operation: UpdateApiKeyDocument,
    variables: {
      input: { id, name: optional(body('name', text, 'Nouveau nom, 1 à 100 caractères')), ...limitSources },
    },
    at: ['updateApiKey', 'apiKey'],
    reply: { success: true, key: { ...identity, ...state, ...dates } },
    errors: ['NOT_FOUND', 'KEY_IS_REVOKED'],
  }),
  route({
    method: 'DELETE',
    path: '/keys/:id',
    tag,
    summary: 'Révoquer une clé',
    description: 'La clé est immédiatement désactivée et ne peut plus être utilisée.',
    operation: RevokeApiKeyDocument,
    variables: { input: { id } },
    at: ['revokeApiKey'],
    reply: { success: true },
    errors: ['NOT_FOUND'],
  }),
  route({
    method: 'GET',
    path: '/keys/:id/reveal',
    tag,
    summary: 'Révéler la clé complète',
    description: 'Au plus 30 fois par 15 minutes et par compte.',
    operation: RevealApiKeyDocument,
    variables: { input: { id } },
    at: ['revealApiKey'],
    reply: { key: field('secret', text) },
    errors: ['NOT_FOUND', 'KEY_IS_REVOKED', 'KEY_NOT_RECOVERABLE', 'THROTTLED'],
  }),
  route({
    method: 'PUT',
    path: '/keys/:id/regenerate',
    tag,
    summary: 'Regénérer une clé',
    description:
      'Même identifiant, mêmes limites ; l’ancien secret cesse aussitôt de fonctionner. Au plus 30 fois par 15 minutes et par compte.',
    operation: RegenerateApiKeyDocument,
    variables: { input: { id } },
    at: ['regenerateApiKey'],
    reply: { success: true, key: field('secret', text) },
    errors: ['NOT_FOUND', 'KEY_IS_REVOKED', 'THROTTLED'],
  }),
];

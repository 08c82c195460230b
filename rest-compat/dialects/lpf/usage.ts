import { choice, day, instant, nullable, text } from '../../codecs.ts';
import { bigint, credits, decimal, integer, numericId } from '../../numbers.ts';
import {
  ListTransactionsDocument,
  ShowBalanceDocument,
  ShowDailyUsageDocument,
  ShowPricingDocument,
  ShowRemainingDocument,
  ShowUsageDocument,
} from '../../operations.generated.ts';
import { each, field, inside, keyed, orNull, within } from '../../shapes.ts';
import { optional, query } from '../../sources.ts';
import { route } from '../../table.ts';

const tag = 'Usage & Solde';

const MAX_INT = 2_147_483_647;
const MAX_PAGE = 1_000_000;
const count = integer(0, MAX_INT);

const limit = field('limit', nullable(credits));
const used = field('used', credits);
const remaining = field('remaining', nullable(credits));
const windows = within('limits', {
  limits: { daily: inside('daily', limit), weekly: inside('weekly', limit), monthly: inside('monthly', limit) },
  used: { daily: inside('daily', used), weekly: inside('weekly', used), monthly: inside('monthly', used) },
  remaining: {
    daily: inside('daily', remaining),
    weekly: inside('weekly', remaining),
    monthly: inside('monthly', remaining),
  },
});

const spent = field('credits', credits);
const period = {
  mutualise: inside('shared', spent),
  dedie: inside('dedicated', spent),
  navigateur: inside('browser', spent),
  total: spent,
  deposits: field('deposits', credits),
};

const type = choice({ DEPOSIT: 'deposit', CONSUMPTION: 'consumption', ADJUSTMENT: 'adjustment' });
const status = choice({ PENDING: 'pending', CONFIRMED: 'confirmed', FAILED: 'failed' });
const sum = { total: field('total', credits), count: field('count', count) };

export const usageRows = [
  route({
    method: 'GET',
    path: '/usage',
    tag,
    summary: 'Crédits restants (tient compte de toutes les limites)',
    operation: ShowRemainingDocument,
    variables: {},
    at: ['viewer'],
    reply: { remaining: field('remaining', credits) },
  }),
  route({
    method: 'GET',
    path: '/keys/usage',
    tag,
    summary: 'Usage détaillé par clé',
    description: 'Fenêtres calendaires UTC : jour, semaine (dès lundi), mois.',
    operation: ShowUsageDocument,
    variables: {},
    at: ['viewer', 'user'],
    reply: {
      global: windows,
      keys: each('apiKeyList', { id: field('databaseId', bigint), name: field('name', text), ...windows }),
    },
  }),
  route({
    method: 'GET',
    path: '/keys/usage/daily',
    tag,
    summary: 'Consommation journalière par type',
    description: '`hourly` : les 24 heures du jour UTC en cours, l’indice est l’heure.',
    operation: ShowDailyUsageDocument,
    variables: {
      days: optional(query('days', integer(1, 90), 'Nombre de jours (1-90, défaut 7), ramené entre 1 et 90')),
    },
    at: ['viewer', 'user'],
    reply: {
      daily: keyed('usageByDay', ['date', day], period),
      hourly: each('usageByHour', { ...period, hour: field('hour', count) }),
    },
  }),
  route({
    method: 'GET',
    path: '/keys/balance',
    tag,
    summary: 'Solde et résumé des transactions',
    operation: ShowBalanceDocument,
    variables: {},
    at: ['viewer', 'user'],
    reply: {
      balance: field('balance', credits),
      summary: keyed('balanceSummary', ['type', type], {
        ...sum,
        by_subtype: keyed('subtypes', ['subtypeLabel', text], sum),
      }),
    },
  }),
  route({
    method: 'GET',
    path: '/keys/pricing',
    tag,
    summary: 'Grille tarifaire',
    description:
      '`rate` : prix d’un crédit acquis par le plus gros dépôt confirmé du compte, 1 avant le premier. `min_credits` : taille d’un achat à partir de laquelle vaut le palier.',
    operation: ShowPricingDocument,
    variables: {},
    at: ['viewer', 'user', 'pricing'],
    reply: {
      rate: field('rate', decimal),
      grid: inside('grid', field('name', text)),
      tiers: each('tiers', { min_credits: field('minCredits', credits), rate: field('rate', decimal) }),
    },
  }),
  route({
    method: 'GET',
    path: '/keys/transactions',
    tag,
    summary: 'Historique des transactions',
    description: 'Les plus récentes d’abord ; une consommation couvre une heure UTC.',
    operation: ListTransactionsDocument,
    variables: {
      page: optional(query('page', integer(1, MAX_PAGE), 'Page (défaut 1), ramenée entre 1 et 1000000')),
      limit: optional(query('limit', integer(1, 100), 'Limite (défaut 20, max 100), ramenée entre 1 et 100')),
      type: optional(query('type', type, 'deposit | consumption | adjustment')),
      subtypeNumber: optional(query('subtype', integer(0, MAX_INT), 'Sous-type')),
      apiKeyId: optional(query('api_key_id', numericId('ApiKey'), 'Filtrer par clé')),
    },
    at: ['viewer', 'user', 'transactionPage'],
    reply: {
      transactions: each('transactions', {
        id: field('databaseId', bigint),
        type: field('type', type),
        subtype: field('subtypeNumber', count),
        subtype_label: field('subtypeLabel', text),
        amount: field('amount', credits),
        api_key_id: orNull('apiKey', field('databaseId', bigint)),
        api_key_name: orNull('apiKey', field('name', text)),
        tx_hash: field('txHash', nullable(text)),
        status: field('status', status),
        confirmations: field('confirmations', count),
        currency: field('currency', nullable(text)),
        chain_id: field('chainId', count),
        created_at: field('createdAt', instant),
      }),
      total: field('total', count),
      page: field('page', count),
      limit: field('limit', count),
    },
    errors: ['NOT_FOUND'],
  }),
];

import { boolean, nullable, text } from '../../codecs.ts';
import { credits } from '../../numbers.ts';
import { ShowSettingsDocument, UpdateAlertsDocument, UpdateLimitsDocument } from '../../operations.generated.ts';
import { field, orEmpty, within } from '../../shapes.ts';
import { body, optional } from '../../sources.ts';
import { route } from '../../table.ts';
import { limits, limitSources } from './keys.ts';

const tag = 'Paramètres';

const settings = {
  ...limits,
  ...within('settings', {
    webhook_url: field('webhookUrl', nullable(text)),
    webhook_events: orEmpty('webhookEvents', {
      balanceLow: field('balanceLow', boolean),
      deposit: field('deposit', boolean),
      dailyUsage: field('dailyUsage', boolean),
    }),
    alert_low_balance: field('alertLowBalance', boolean),
    alert_threshold: field('alertThreshold', credits),
    webhook_secret: field('webhookSecret', text),
    auto_reload_enabled: field('autoReloadEnabled', boolean),
    auto_reload_threshold: field('autoReloadThreshold', credits),
    auto_reload_amount: field('autoReloadAmount', credits),
    save_card_consent: field('saveCardConsent', boolean),
  }),
};

export const settingsRows = [
  route({
    method: 'GET',
    path: '/keys/settings',
    tag,
    summary: 'Récupérer les paramètres',
    description: '`webhook_events` est vide tant qu’aucun événement n’est demandé.',
    operation: ShowSettingsDocument,
    variables: {},
    at: ['viewer', 'user'],
    reply: { settings },
  }),
  route({
    method: 'PUT',
    path: '/keys/settings',
    tag,
    summary: 'Modifier les limites globales',
    description:
      'Limites du compte entier. Un champ absent ne change pas ; null supprime une limite ; les autres champs sont ignorés.',
    operation: UpdateLimitsDocument,
    variables: { input: limitSources },
    at: ['updateLimits', 'user'],
    reply: { success: true, settings },
  }),
  route({
    method: 'PUT',
    path: '/keys/settings/alerts',
    tag,
    summary: 'Configurer alertes et rechargement auto',
    description:
      'Un champ absent ne change pas. Le rechargement exige `save_card_consent`, donné maintenant ou avant ; le retirer désactive le rechargement.',
    operation: UpdateAlertsDocument,
    variables: {
      input: {
        alertLowBalance: optional(body('alert_low_balance', boolean, 'Prévenir quand le solde est bas')),
        alertThreshold: optional(body('alert_threshold', credits, 'Solde sous lequel prévenir, 0 ou plus')),
        autoReloadEnabled: optional(body('auto_reload_enabled', boolean, 'Acheter des crédits quand il en reste peu')),
        autoReloadThreshold: optional(body('auto_reload_threshold', credits, 'Solde sous lequel acheter, 0 ou plus')),
        autoReloadAmount: optional(body('auto_reload_amount', credits, 'Crédits à acheter, plus que 0')),
        saveCardConsent: optional(body('save_card_consent', boolean, 'Accord pour conserver la carte')),
      },
    },
    at: ['updateAlerts'],
    reply: { success: true },
    errors: ['CARD_CONSENT_REQUIRED'],
  }),
];

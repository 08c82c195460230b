import { boolean, flags, text } from '../../codecs.ts';
import { integer } from '../../numbers.ts';
import {
  ConfigureWebhookDocument,
  RotateWebhookSecretDocument,
  TestWebhookDocument,
} from '../../operations.generated.ts';
import { field, inside } from '../../shapes.ts';
import { body } from '../../sources.ts';
import { route } from '../../table.ts';

const tag = 'Webhooks';

const webhook_secret = inside('settings', field('webhookSecret', text));

export const webhookRows = [
  route({
    method: 'PUT',
    path: '/keys/settings/webhooks',
    tag,
    summary: 'Configurer le webhook',
    description:
      'Events: { balanceLow: bool, deposit: bool, dailyUsage: bool } ; un événement absent n’est pas envoyé. Le secret ne change pas. Cette version enregistre le webhook et n’envoie pas encore d’événements.',
    operation: ConfigureWebhookDocument,
    variables: {
      input: {
        url: body(
          'webhook_url',
          text,
          'URL https:// vers un hôte public, sans identifiants, 2048 caractères au plus ; http:// seulement vers une adresse autorisée par l’opérateur',
        ),
        events: body('webhook_events', flags('balanceLow', 'deposit', 'dailyUsage'), 'balanceLow, deposit, dailyUsage'),
      },
    },
    at: ['configureWebhook'],
    reply: { success: true, webhook_secret },
  }),
  route({
    method: 'POST',
    path: '/keys/settings/webhooks/test',
    tag,
    summary: 'Tester le webhook',
    description:
      '`status` : code HTTP de votre serveur, 0 sans réponse. Cette version n’envoie pas encore d’événements et répond 501.',
    operation: TestWebhookDocument,
    variables: {},
    at: ['testWebhook'],
    reply: { success: field('delivered', boolean), status: field('status', integer(0, 999)) },
    errors: ['NO_WEBHOOK', 'NOT_IMPLEMENTED'],
  }),
  route({
    method: 'POST',
    path: '/keys/settings/webhooks/rotate-secret',
    tag,
    summary: 'Renouveler la clé HMAC',
    description: 'L’ancien secret signe encore 24 heures à côté du nouveau.',
    operation: RotateWebhookSecretDocument,
    variables: {},
    at: ['rotateWebhookSecret'],
    reply: { success: true, webhook_secret },
  }),
];

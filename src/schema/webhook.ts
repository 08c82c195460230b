import { configureWebhook } from '../resolvers/settings/configureWebhook.ts';
import { rotateWebhookSecret } from '../resolvers/settings/rotateWebhookSecret.ts';
import type { SettingsRow } from '../resolvers/settings/rows.ts';
import { testWebhook, type WebhookTest } from '../resolvers/settings/testWebhook.ts';
import { builder } from './builder.ts';
import { failures } from './errors.ts';
import { plainText } from './inputs.ts';
import { Settings } from './settings.ts';

const WebhookEventEnum = builder.enumType('WebhookEvent', {
  description: 'What a webhook can be told of.',
  values: {
    BALANCE_LOW: { description: 'The balance fell below the alert threshold.' },
    DEPOSIT: { description: 'A deposit was confirmed.' },
    DAILY_USAGE: { description: 'What was used on the UTC day that has ended.' },
  } as const,
});

const WebhookEventsInput = builder.inputType('WebhookEventsInput', {
  description: 'Which events to send; what is absent is not sent.',
  fields: (t) => {
    const event = (description: string) => t.boolean({ required: true, defaultValue: false, description });
    return {
      balanceLow: event('The balance fell below the alert threshold.'),
      deposit: event('A deposit was confirmed.'),
      dailyUsage: event('What was used on the UTC day that has ended.'),
    };
  },
});

const ConfigureWebhookInput = builder.inputType('ConfigureWebhookInput', {
  description: 'The webhook as it shall be.',
  fields: (t) => ({
    url: t.string({
      validate: plainText.trim().nullish(),
      description:
        'Where to send events: https:// on a public host, at most 2048 characters, no user name; http:// only to addresses that the operator has opened. null: nowhere.',
    }),
    events: t.field({ type: WebhookEventsInput, required: true, description: 'Which events to send.' }),
  }),
});

const RotateWebhookSecretInput = builder.inputType('RotateWebhookSecretInput', {
  description: 'Which secret to replace.',
  fields: (t) => ({
    number: t.int({
      description:
        '`webhookSecretNumber` of the secret to replace: when it has been replaced already nothing happens, so that a call can be repeated. Absent: the current one.',
    }),
  }),
});

const TestWebhookInput = builder.inputType('TestWebhookInput', {
  description: 'What to send.',
  fields: (t) => ({
    event: t.field({
      type: WebhookEventEnum,
      required: true,
      defaultValue: 'DEPOSIT',
      description: 'Which event to send an example of.',
    }),
  }),
});

const WebhookChanged = (name: string, description: string) =>
  builder.objectRef<{ settings: SettingsRow }>(name).implement({
    description,
    fields: (t) => ({
      settings: t.field({
        type: Settings,
        description: 'The settings as they are now.',
        resolve: ({ settings }) => settings,
      }),
    }),
  });
const ConfigureWebhookSuccess = WebhookChanged('ConfigureWebhookSuccess', 'The webhook is set.');
const RotateWebhookSecretSuccess = WebhookChanged(
  'RotateWebhookSecretSuccess',
  'The webhook has a new signing secret; the old one signs alongside for 24 hours.',
);

const TestWebhookSuccess = builder.objectRef<WebhookTest>('TestWebhookSuccess').implement({
  description: 'The test event was sent.',
  fields: (t) => ({
    delivered: t.exposeBoolean('delivered', { description: 'The receiver answered with a status of the 200s.' }),
    status: t.exposeInt('status', { description: 'HTTP status of the answer; 0 when there was none.' }),
  }),
});

builder.mutationFields((t) => ({
  configureWebhook: t.withAuth({ manage: true }).field({
    type: ConfigureWebhookSuccess,
    description:
      'Sets where and which events are sent. The signing secret stays the same. This version stores the webhook and does not send events yet.',
    args: { input: t.arg({ type: ConfigureWebhookInput, required: true, description: 'The webhook.' }) },
    errors: failures(),
    resolve: (_root, { input: { url = null, events } }, ctx) => configureWebhook(ctx, { url, events }),
  }),
  rotateWebhookSecret: t.withAuth({ manage: true }).field({
    type: RotateWebhookSecretSuccess,
    description: 'Replaces the signing secret of the webhook.',
    args: { input: t.arg({ type: RotateWebhookSecretInput, description: 'Which secret.' }) },
    errors: failures(),
    resolve: (_root, { input }, ctx) => rotateWebhookSecret(ctx, input?.number ?? null),
  }),
  testWebhook: t.withAuth({ manage: true }).field({
    type: TestWebhookSuccess,
    description:
      'Sends an example to the webhook; NO_WEBHOOK when there is none. This version does not send events yet: it answers NOT_IMPLEMENTED.',
    args: { input: t.arg({ type: TestWebhookInput, description: 'What to send.' }) },
    errors: failures(),
    resolve: (_root, _args, ctx) => testWebhook(ctx),
  }),
}));

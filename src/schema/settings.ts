import { z } from 'zod';

import { updateProfile } from '../resolvers/accounts/updateProfile.ts';
import { AppError } from '../errors.ts';
import { findSettings, type SettingsRow } from '../resolvers/settings/rows.ts';
import { updateAlerts } from '../resolvers/settings/updateAlerts.ts';
import { webhookSecret } from '../resolvers/settings/webhookSecret.ts';
import { builder } from './builder.ts';
import { LanguageEnum } from './enums.ts';
import { failures } from './errors.ts';
import { User, userSuccess } from './user.ts';

const WebhookEvents = builder.objectRef<readonly string[]>('WebhookEvents').implement({
  description: 'What the webhook is told of.',
  fields: (t) => ({
    balanceLow: t.boolean({
      description: 'The balance fell below the alert threshold: once per crossing.',
      resolve: (events) => events.includes('balanceLow'),
    }),
    deposit: t.boolean({
      description: 'A deposit was confirmed.',
      resolve: (events) => events.includes('deposit'),
    }),
    dailyUsage: t.boolean({
      description: 'What was used on the UTC day that has ended.',
      resolve: (events) => events.includes('dailyUsage'),
    }),
  }),
});

export const Settings = builder.objectRef<SettingsRow>('Settings').implement({
  description: 'What a customer has set beside limits, which are `User.limits`.',
  fields: (t) => ({
    alertLowBalance: t.exposeBoolean('alertLowBalance', { description: 'Tell when the balance is low. Default true.' }),
    alertThreshold: t.expose('alertThreshold', {
      type: 'Credits',
      description: 'Balance below which it is low. Default 50.',
    }),
    autoReloadEnabled: t.exposeBoolean('autoReloadEnabled', {
      description: 'Buy credit with the saved card when little is left. Default false.',
    }),
    autoReloadThreshold: t.expose('autoReloadThreshold', {
      type: 'Credits',
      description: 'Balance below which credit is bought. Default 10.',
    }),
    autoReloadAmount: t.expose('autoReloadAmount', {
      type: 'Credits',
      description: 'How much is bought then. Default 50.',
    }),
    saveCardConsent: t.exposeBoolean('saveCardConsent', {
      description: 'A card may be kept for automatic reload. Default false.',
    }),
    webhookUrl: t.exposeString('webhookUrl', { nullable: true, description: 'Where events are sent; null: nowhere.' }),
    webhookEvents: t.field({
      type: WebhookEvents,
      nullable: true,
      description: 'Which events are sent; null when none is.',
      resolve: ({ webhookEvents }) => (webhookEvents.length === 0 ? null : webhookEvents),
    }),
    webhookSecret: t.withAuth({ manage: true }).string({
      description:
        'What webhooks are signed with, as Standard Webhooks writes it: `whsec_` and base64. Made with the account; only for itself, and for credentials that may change it.',
      resolve: (settings, _args, { keys, viewer }) => {
        if (viewer.userId !== settings.userId) throw new AppError('FORBIDDEN');
        return webhookSecret(keys, settings);
      },
    }),
    webhookSecretNumber: t.exposeInt('webhookSecretNo', {
      description: 'Number of the secret, from 1; `rotateWebhookSecret` counts it up.',
    }),
    webhookRotatedAt: t.expose('webhookRotatedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When the secret was last replaced; the one before signs alongside for 24 hours after. null: never.',
    }),
  }),
});

builder.prismaObjectFields(User, (t) => ({
  settings: t.field({
    type: Settings,
    description: 'Alerts, automatic reload and webhook; the defaults when nothing was set.',
    resolve: (user, _args, ctx) => findSettings(ctx.db, user.id),
  }),
}));

const notNegative = z.bigint().min(0n, 'must not be negative').nullish();

const UpdateAlertsInput = builder.inputType('UpdateAlertsInput', {
  description: 'Alerts and automatic reload: an absent field, or null, leaves alone.',
  fields: (t) => ({
    alertLowBalance: t.boolean({ description: 'Tell when the balance is low.' }),
    alertThreshold: t.field({
      type: 'Credits',
      validate: notNegative,
      description: 'Balance below which it is low; not negative.',
    }),
    autoReloadEnabled: t.boolean({
      description: 'Buy credit when little is left; needs `saveCardConsent`, given now or before.',
    }),
    autoReloadThreshold: t.field({
      type: 'Credits',
      validate: notNegative,
      description: 'Balance below which credit is bought; not negative.',
    }),
    autoReloadAmount: t.field({
      type: 'Credits',
      validate: z.bigint().min(1n, 'must be positive').nullish(),
      description: 'How much is bought then; positive.',
    }),
    saveCardConsent: t.boolean({
      description: 'A card may be kept. Withdrawing the consent ends automatic reload.',
    }),
  }),
});

const UpdateProfileInput = builder.inputType('UpdateProfileInput', {
  description: 'Changes of the own profile.',
  fields: (t) => ({
    language: t.field({ type: LanguageEnum, required: true, description: 'Language of mails.' }),
  }),
});

const UpdateAlertsSuccess = builder.objectRef<{ settings: SettingsRow }>('UpdateAlertsSuccess').implement({
  description: 'The settings hold.',
  fields: (t) => ({
    settings: t.field({
      type: Settings,
      description: 'The settings as they are now.',
      resolve: ({ settings }) => settings,
    }),
  }),
});

const UpdateProfileSuccess = userSuccess('UpdateProfileSuccess', 'The profile is changed.');

builder.mutationFields((t) => ({
  updateAlerts: t.withAuth({ manage: true }).field({
    type: UpdateAlertsSuccess,
    description:
      'Changes alerts and automatic reload. CARD_CONSENT_REQUIRED when reload is turned on without the consent to keep a card.',
    args: { input: t.arg({ type: UpdateAlertsInput, required: true, description: 'What to change.' }) },
    errors: failures(),
    resolve: (_root, { input }, ctx) => updateAlerts(ctx, input),
  }),
  updateProfile: t.withAuth({ manage: true }).field({
    type: UpdateProfileSuccess,
    description: 'Changes the language of mails.',
    args: { input: t.arg({ type: UpdateProfileInput, required: true, description: 'What to change.' }) },
    errors: failures(),
    resolve: (_root, { input }, ctx) => updateProfile(ctx, input.language),
  }),
}));

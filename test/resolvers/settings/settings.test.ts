import { createHmac } from 'node:crypto';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { sql } from '../../../src/database/sql.ts';
import { updateProfile } from '../../../src/resolvers/accounts/updateProfile.ts';
import { configureWebhook } from '../../../src/resolvers/settings/configureWebhook.ts';
import { rotateWebhookSecret } from '../../../src/resolvers/settings/rotateWebhookSecret.ts';
import { findSettings } from '../../../src/resolvers/settings/rows.ts';
import { testWebhook } from '../../../src/resolvers/settings/testWebhook.ts';
import { updateAlerts } from '../../../src/resolvers/settings/updateAlerts.ts';
import { webhookSecret } from '../../../src/resolvers/settings/webhookSecret.ts';
import { NANO } from '../../../src/units.ts';
import {
  contextOf,
  makeAccount,
  openTestServices,
  run,
  viewerOf,
  type TestAccount,
  type TestServices,
} from '../../harness/context.ts';

const COUNT = sql('testSettingsRows', 'select count(*) as count from settings where user_id = $1');
const RECORDED = sql(
  'testSettingsAudit',
  `select action, detail from audit_log where account_id = $1 and action <> 'ACCOUNT_CREATED'
     and action <> 'API_KEY_CREATED' order by id`,
);
const EVENTS = { balanceLow: false, deposit: false, dailyUsage: false };

let services: TestServices;
beforeAll(async () => {
  services = await openTestServices();
});
afterAll(() => services[Symbol.asyncDispose]());

const rows = async ({ user }: TestAccount) =>
  (await services.db.query<{ count: bigint }>(COUNT, [user.id]))[0]?.count ?? 0n;
const recorded = ({ user }: TestAccount) => services.db.query(RECORDED, [user.id]);
const defaults = ({ user }: TestAccount) => ({
  userId: user.id,
  alertLowBalance: true,
  alertThreshold: 50n * NANO,
  autoReloadEnabled: false,
  autoReloadThreshold: 10n * NANO,
  autoReloadAmount: 50n * NANO,
  saveCardConsent: false,
  webhookUrl: null,
  webhookEvents: [],
  webhookSecretNo: 1,
  webhookRotatedAt: null,
});

describe('alerts', () => {
  test('begin as the reference shows them, without a row; the row has the same defaults', async () => {
    const account = await makeAccount(services);
    expect(await findSettings(services.db, account.user.id)).toEqual(defaults(account));
    expect(await rows(account)).toBe(0n);
    expect((await updateAlerts(account.ctx, {})).settings).toEqual(defaults(account));
    expect(await rows(account)).toBe(1n);
    expect(await recorded(account)).toEqual([]);
  });

  test('absent and null leave alone', async () => {
    const account = await makeAccount(services);
    const first = { alertLowBalance: false, alertThreshold: 0n, autoReloadThreshold: 1n, autoReloadAmount: 2n };
    const { settings } = await updateAlerts(account.ctx, first);
    expect(settings).toEqual({ ...defaults(account), ...first });
    const again = await updateAlerts(account.ctx, { alertThreshold: 2n ** 63n - 1n, autoReloadAmount: null });
    expect(again.settings).toEqual({ ...settings, alertThreshold: 2n ** 63n - 1n });
    expect(await findSettings(services.db, account.user.id)).toEqual(again.settings);
    expect(await recorded(account)).toEqual([
      {
        action: 'SETTINGS_UPDATED',
        detail: {
          alertLowBalance: false,
          alertThreshold: '0',
          autoReloadThreshold: '0.000000001',
          autoReloadAmount: '0.000000002',
        },
      },
      { action: 'SETTINGS_UPDATED', detail: { alertThreshold: '9223372036.854775807' } },
    ]);
  });

  test('reload needs consent, given now or before; withdrawing it ends reload', async () => {
    const account = await makeAccount(services);
    const refused = (input: Parameters<typeof updateAlerts>[1], field: string) =>
      expect(updateAlerts(account.ctx, input)).rejects.toMatchObject({ code: 'CARD_CONSENT_REQUIRED', field });
    await refused({ autoReloadEnabled: true }, 'autoReloadEnabled');
    await refused({ autoReloadEnabled: true, saveCardConsent: false }, 'saveCardConsent');
    expect(await findSettings(services.db, account.user.id)).toEqual(defaults(account));
    const state = async (input: Parameters<typeof updateAlerts>[1]) => {
      const { settings } = await updateAlerts(account.ctx, input);
      return [settings.autoReloadEnabled, settings.saveCardConsent];
    };
    expect(await state({ autoReloadEnabled: true, saveCardConsent: true })).toEqual([true, true]);
    expect(await state({ saveCardConsent: false })).toEqual([false, false]);
    expect(await state({ saveCardConsent: true })).toEqual([false, true]);
    expect(await state({ autoReloadEnabled: true })).toEqual([true, true]);
    await refused({ autoReloadEnabled: true, saveCardConsent: false }, 'saveCardConsent');
    expect(await state({ autoReloadEnabled: false, saveCardConsent: false })).toEqual([false, false]);
  });

  test('first writes at once make one row, and none is lost', async () => {
    const account = await makeAccount(services);
    await Promise.all([
      ...Array.from({ length: 20 }, (_, n) => updateAlerts(account.ctx, { alertThreshold: BigInt(n) })),
      updateAlerts(account.ctx, { alertLowBalance: false }),
      updateAlerts(account.ctx, { saveCardConsent: true }),
      configureWebhook(account.ctx, { url: 'https://example.com/', events: EVENTS }),
      rotateWebhookSecret(account.ctx, null),
    ]);
    expect(await rows(account)).toBe(1n);
    const found = await findSettings(services.db, account.user.id);
    expect(found).toMatchObject({ alertLowBalance: false, saveCardConsent: true, webhookUrl: 'https://example.com/' });
    expect(found).toMatchObject({ webhookSecretNo: 2, autoReloadEnabled: false });
    expect(found.alertThreshold).toBeLessThan(20n);
  });

  test('consent withdrawn and reload enabled at once never leave reload without consent', async () => {
    const account = await makeAccount(services);
    await updateAlerts(account.ctx, { saveCardConsent: true });
    await Promise.allSettled(
      Array.from({ length: 10 }, (_, n) =>
        updateAlerts(account.ctx, n % 2 === 0 ? { autoReloadEnabled: true } : { saveCardConsent: false }),
      ),
    );
    expect(await findSettings(services.db, account.user.id)).toMatchObject({
      autoReloadEnabled: false,
      saveCardConsent: false,
    });
  });

  test('through GraphQL within their bounds', async () => {
    const account = await makeAccount(services);
    const source = `mutation ($input: UpdateAlertsInput!) { updateAlerts(input: $input) {
      ... on UpdateAlertsSuccess { settings { alertThreshold autoReloadAmount } } ... on InputError { code field } } }`;
    const update = async (input: object) => (await run(account.ctx, source, { input })).data?.['updateAlerts'];
    expect(await update({ alertThreshold: '0', autoReloadAmount: '0.000000001' })).toEqual({
      settings: { alertThreshold: '0', autoReloadAmount: '0.000000001' },
    });
    for (const [field, value] of [
      ['alertThreshold', '-0.000000001'],
      ['autoReloadThreshold', '-1'],
      ['autoReloadAmount', '0'],
    ] as const)
      expect(await update({ [field]: value })).toEqual({ code: 'BAD_INPUT', field });
    const { errors } = await run(account.ctx, source, { input: { alertThreshold: '9223372036.854775808' } });
    expect(errors?.[0]?.message).toMatch(/Credits must be/);
  });
});

describe('the webhook', () => {
  test('is stored with its events; the secret is as old as the account and stays', async () => {
    const account = await makeAccount(services);
    const { user, ctx } = account;
    const secret = webhookSecret(services.keys, { userId: user.id, webhookSecretNo: 1 });
    expect(secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
    const mac = createHmac('sha256', services.keys.webhooks).update(`webhook:${user.id}:1`).digest('base64');
    expect(secret).toBe(`whsec_${mac}`);
    const events = { ...EVENTS, dailyUsage: true, balanceLow: true };
    const { settings } = await configureWebhook(ctx, { url: 'https://example.com/hook', events });
    expect(settings).toEqual({
      ...defaults(account),
      webhookUrl: 'https://example.com/hook',
      webhookEvents: ['balanceLow', 'dailyUsage'],
    });
    expect(await findSettings(services.db, user.id)).toEqual(settings);
    expect(webhookSecret(services.keys, settings)).toBe(secret);
    await configureWebhook(ctx, { url: 'https://example.com/hook', events });
    const cleared = await configureWebhook(ctx, { url: null, events: EVENTS });
    expect(cleared.settings).toEqual(defaults(account));
    expect(await recorded(account)).toEqual([
      {
        action: 'SETTINGS_UPDATED',
        detail: { webhook: 'https://example.com', webhookEvents: ['balanceLow', 'dailyUsage'] },
      },
      { action: 'SETTINGS_UPDATED', detail: { webhook: null, webhookEvents: [] } },
    ]);
  });

  test('is refused where nothing may be sent, and nothing changes', async () => {
    const account = await makeAccount(services);
    for (const url of ['http://example.com/', 'https://10.0.0.1/', 'https://user@example.com/', 'x'])
      await expect(configureWebhook(account.ctx, { url, events: EVENTS })).rejects.toMatchObject({
        code: 'BAD_INPUT',
        field: 'url',
      });
    expect(await rows(account)).toBe(0n);
  });

  test('gets another secret by rotation, known by its number, so that a repeated call does no harm', async () => {
    const account = await makeAccount(services);
    const { user, ctx } = account;
    const secretOf = (webhookSecretNo: number) => webhookSecret(services.keys, { userId: user.id, webhookSecretNo });
    const before = Date.now();
    const all = await Promise.all(Array.from({ length: 50 }, () => rotateWebhookSecret(ctx, 1)));
    for (const { settings } of all) expect(webhookSecret(services.keys, settings)).toBe(secretOf(2));
    const found = await findSettings(services.db, user.id);
    expect(found.webhookSecretNo).toBe(2);
    expect(found.webhookRotatedAt?.getTime()).toBeGreaterThanOrEqual(before);
    expect((await rotateWebhookSecret(ctx, null)).settings.webhookSecretNo).toBe(3);
    expect(new Set([1, 2, 3].map(secretOf)).size).toBe(3);
    expect(await recorded(account)).toEqual([
      { action: 'WEBHOOK_SECRET_ROTATED', detail: { webhookSecretNumber: '2' } },
      { action: 'WEBHOOK_SECRET_ROTATED', detail: { webhookSecretNumber: '3' } },
    ]);
  });

  test('has a secret of its own per account, which nobody else reads', async () => {
    const [account, other] = [await makeAccount(services), await makeAccount(services)];
    const admin = await makeAccount(services, { role: 'ADMIN' });
    const own = '{ viewer { user { settings { webhookSecret webhookSecretNumber } } } }';
    const secretOf = (userId: bigint) => webhookSecret(services.keys, { userId, webhookSecretNo: 1 });
    for (const { ctx, user } of [account, other]) {
      const settings = { webhookSecret: secretOf(user.id), webhookSecretNumber: 1 };
      expect(await run(ctx, own)).toEqual({ data: { viewer: { user: { settings } } } });
    }
    expect(secretOf(account.user.id)).not.toBe(secretOf(other.user.id));
    const reader = contextOf(services, { ...viewerOf(account.user, account.apiKey), scopes: ['READ'] });
    expect((await run(reader, own)).errors?.[0]?.originalError).toMatchObject({ code: 'INSUFFICIENT_SCOPE' });
    const rest = '{ viewer { user { settings { webhookUrl alertThreshold } } } }';
    expect(await run(reader, rest)).toEqual({
      data: { viewer: { user: { settings: { webhookUrl: null, alertThreshold: '50' } } } },
    });
    const found = `{ users(search: "${account.user.email}") { edges { node { settings { FIELD } } } } }`;
    const asked = (field: string) => run(admin.ctx, found.replace('FIELD', field));
    expect((await asked('webhookSecret')).errors?.[0]?.originalError).toMatchObject({ code: 'FORBIDDEN' });
    expect((await asked('webhookUrl')).errors).toBeUndefined();
  });

  test('is tested in a later version', async () => {
    const { ctx } = await makeAccount(services);
    await expect(testWebhook(ctx)).rejects.toMatchObject({ code: 'NO_WEBHOOK', status: 400 });
    await configureWebhook(ctx, { url: 'https://example.com/', events: EVENTS });
    await expect(testWebhook(ctx)).rejects.toMatchObject({ code: 'NOT_IMPLEMENTED', status: 501 });
  });
});

test('reading settings is one statement beside the one of the limits', async () => {
  const { ctx } = await makeAccount(services);
  const seen: string[] = [];
  const query: typeof services.db.query = (statement, values) => {
    seen.push(statement.name);
    return services.db.query(statement, values);
  };
  const source =
    '{ viewer { user { limits { daily { limit } } settings { alertThreshold webhookEvents { deposit } } } } }';
  expect(await run({ ...ctx, db: { ...services.db, query } }, source)).toEqual({
    data: {
      viewer: { user: { limits: { daily: { limit: null } }, settings: { alertThreshold: '50', webhookEvents: null } } },
    },
  });
  expect(seen).toEqual(['viewerLimits', 'settingsOfUser']);
});

test('the language of mails is the customer’s', async () => {
  const account = await makeAccount(services);
  expect(account.user.language).toBe('EN');
  expect((await updateProfile(account.ctx, 'FR')).user).toMatchObject({ id: account.user.id, language: 'FR' });
  expect((await updateProfile(account.ctx, 'FR')).user.language).toBe('FR');
  expect(await recorded(account)).toEqual([{ action: 'SETTINGS_UPDATED', detail: { language: 'FR' } }]);
});

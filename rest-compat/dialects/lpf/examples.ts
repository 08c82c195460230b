import type { Examples } from '../../table.ts';

const address = '0x31b6740e0b8c8a0d1f2b6a5f8f9d3c7e21a4b0c9';
const signature = `0x${'1b'.repeat(65)}`;
const nonce = '550e8400e29b41d4a716446655440000';
const message = [
  'prx.lv wants you to sign in with your Ethereum account:',
  '0x31B6740e0b8C8a0D1f2B6a5f8F9d3C7E21A4b0c9',
  '',
  'Connexion a Le Proxy Francais',
  '',
  'URI: https://prx.lv',
  'Version: 1',
  'Chain ID: 1',
  `Nonce: ${nonce}`,
  'Issued At: 2026-03-28T12:00:00.000Z',
  'Expiration Time: 2026-03-28T12:05:00.000Z',
].join('\n');
const walletUser = { id: 1, username: '0x31b6...', wallet_address: address, auth_type: 'wallet' };
const emailUser = {
  id: 1,
  username: 'camille',
  email: 'user@example.com',
  wallet_address: address,
  auth_type: 'email',
};
const token = 'eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl';
const success = true;

const noLimits = { daily_limit: null, weekly_limit: null, monthly_limit: null };
const limits = { daily_limit: 100, weekly_limit: null, monthly_limit: 1000 };
const dates = { created_at: '2026-03-28T12:00:00Z', last_used_at: null };
const key = { id: 1, name: 'Prod', key_preview: 'lpf_1f05...', active: 1, ...noLimits };
const none = { daily: null, weekly: null, monthly: null };

const auth = {
  'GET /auth/nonce': { reply: { message, nonce } },
  'POST /auth/wallet': {
    request: { address, signature, message },
    reply: { token, user: walletUser },
  },
  'POST /auth/register': {
    request: { username: 'camille', email: 'user@example.com', password: 'une longue phrase secrète' },
    reply: { success, message: 'Email de confirmation envoyé' },
  },
  'POST /auth/login': {
    request: { email: 'user@example.com', password: 'une longue phrase secrète' },
    reply: { token, user: { id: 1, email: 'user@example.com' } },
  },
  'GET /auth/me': {
    reply: { user: { id: 1, email: 'user@example.com', balance: 150 }, role: 'user', permissions: ['app.testnet'] },
  },
  'GET /auth/verify-email': { reply: { success, message: 'Email vérifié avec succès' } },
  'POST /auth/resend-verification': { request: { email: 'user@example.com' }, reply: { success } },
  'POST /auth/forgot-password': {
    request: { email: 'user@example.com' },
    reply: { success, message: 'Si un compte existe, un email a été envoyé' },
  },
  'POST /auth/reset-password': {
    request: { token: 'jeton-recu-par-email', password: 'une autre phrase secrète' },
    reply: { success, message: 'Mot de passe réinitialisé' },
  },
  'POST /auth/change-password': {
    request: { currentPassword: 'une longue phrase secrète', newPassword: 'une autre phrase secrète' },
    reply: { success, message: 'Mot de passe modifié' },
  },
  'POST /auth/link-wallet': {
    request: { address, signature },
    reply: { success, merged: false, user: emailUser },
  },
  'DELETE /auth/unlink-wallet': { reply: { success, user: { ...emailUser, wallet_address: null } } },
};

const keys = {
  'GET /keys': { reply: { keys: [key] } },
  'POST /keys': {
    request: { name: 'Production', ...noLimits },
    reply: {
      key: {
        ...{ id: 2, name: 'Production', key_preview: 'lpf_abc1...', key: 'lpf_abc12300000000000000000000000000' },
        ...{ active: 1, ...noLimits, ...dates },
      },
    },
  },
  'GET /keys/:id': { reply: { key: { ...key, ...dates } } },
  'PUT /keys/:id': {
    request: { name: 'Prod', ...limits },
    reply: { success, key: { ...key, ...limits, ...dates } },
  },
  'DELETE /keys/:id': { reply: { success } },
  'GET /keys/:id/reveal': { reply: { key: 'lpf_1f0553c89d4138e8cc59bd46965f22d0' } },
  'PUT /keys/:id/regenerate': { reply: { success, key: 'lpf_5e0b7a9c3d1f42688f0e6b1c2a3d4e5f' } },
};

const quiet = { mutualise: 0, dedie: 0, navigateur: 0, total: 0, deposits: 0 };

const usage = {
  'GET /usage': { reply: { remaining: 42.5 } },
  'GET /keys/usage': {
    reply: {
      global: {
        limits: { ...none, daily: 100 },
        used: { daily: 12.5, weekly: 45, monthly: 120 },
        remaining: { ...none, daily: 87.5 },
      },
      keys: [{ id: 1, name: 'Prod', limits: none, used: { daily: 12.5, weekly: 45, monthly: 120 }, remaining: none }],
    },
  },
  'GET /keys/usage/daily': {
    reply: {
      daily: { '2026-03-28': { mutualise: 5.2, dedie: 1, navigateur: 0, total: 6.2, deposits: 50 } },
      hourly: [{ ...quiet, hour: 0 }],
    },
  },
  'GET /keys/balance': {
    reply: {
      balance: 150,
      summary: {
        deposit: { total: 200, count: 3, by_subtype: { USDT: { total: 200, count: 3 } } },
        consumption: {
          ...{ total: -50, count: 12 },
          by_subtype: { Mutualisé: { total: -45, count: 10 }, Dédié: { total: -5, count: 2 } },
        },
      },
    },
  },
  'GET /keys/pricing': {
    reply: {
      ...{ rate: 0.8, grid: 'Premium' },
      tiers: [
        { min_credits: 100, rate: 0.9 },
        { min_credits: 500, rate: 0.8 },
      ],
    },
  },
  'GET /keys/transactions': {
    reply: {
      transactions: [
        {
          ...{ id: 1, type: 'deposit', subtype: 2, subtype_label: 'Paiement en ligne', amount: 50 },
          ...{ api_key_id: null, api_key_name: null, tx_hash: 'pi_abc123', status: 'confirmed', confirmations: 0 },
          ...{ currency: 'stripe', chain_id: 0, created_at: '2026-03-28T12:00:00Z' },
        },
      ],
      ...{ total: 1, page: 1, limit: 20 },
    },
  },
  'POST /keys/deposit': {
    request: { tx_hash: `0x${'c4'.repeat(32)}`, currency: 'usdt', chain_id: 1 },
    reply: { success, status: 'pending' },
  },
};

const defaults = {
  ...{ ...noLimits, webhook_url: null, webhook_events: {}, alert_low_balance: true, alert_threshold: 50 },
  ...{ webhook_secret: 'a1b2c3', auto_reload_enabled: false, auto_reload_threshold: 10, auto_reload_amount: 50 },
  save_card_consent: false,
};

const settings = {
  'GET /keys/settings': { reply: { settings: defaults } },
  'PUT /keys/settings': { request: limits, reply: { success, settings: { ...defaults, ...limits } } },
  'PUT /keys/settings/alerts': {
    request: {
      ...{ alert_low_balance: true, alert_threshold: 50, auto_reload_enabled: true },
      ...{ auto_reload_threshold: 10, auto_reload_amount: 50, save_card_consent: true },
    },
    reply: { success },
  },
  'PUT /keys/settings/webhooks': {
    request: {
      webhook_url: 'https://example.com/webhook',
      webhook_events: { balanceLow: true, deposit: true, dailyUsage: false },
    },
    reply: { success, webhook_secret: 'abc123' },
  },
  'POST /keys/settings/webhooks/test': { reply: { success, status: 200 } },
  'POST /keys/settings/webhooks/rotate-secret': { reply: { success, webhook_secret: 'new_secret' } },
};

/** The samples of the reference, with what it abbreviates. */
export const examples: Readonly<Record<string, Examples>> = { ...auth, ...keys, ...usage, ...settings };

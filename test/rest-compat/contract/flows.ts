import { emailAccount, wallets } from './accountFlows.ts';
import { keys, settings } from './keyFlows.ts';
import type { Visit } from './suite.ts';
import { consumption, documentedValues } from './valueFlows.ts';

/** A story told in documented calls alone; which, is what `routes` says. */
export interface Flow {
  readonly title: string;
  readonly routes: readonly string[];
  readonly run: (visit: Visit) => Promise<void>;
}

/** Together they visit every documented operation. */
export const FLOWS: readonly Flow[] = [
  {
    title: 'an account by e-mail',
    routes: [
      ...['POST /auth/register', 'POST /auth/resend-verification', 'GET /auth/verify-email', 'POST /auth/login'],
      ...['POST /auth/change-password', 'POST /auth/forgot-password', 'POST /auth/reset-password'],
    ],
    run: emailAccount,
  },
  {
    title: 'wallets',
    routes: ['GET /auth/nonce', 'POST /auth/wallet', 'POST /auth/link-wallet', 'DELETE /auth/unlink-wallet'],
    run: wallets,
  },
  {
    title: 'the life of a key',
    routes: [
      ...['POST /keys', 'PUT /keys/:id', 'GET /keys/:id', 'GET /keys', 'GET /keys/:id/reveal'],
      ...['PUT /keys/:id/regenerate', 'DELETE /keys/:id'],
    ],
    run: keys,
  },
  {
    title: 'the documented values',
    routes: [
      ...['POST /auth/login', 'GET /auth/me', 'GET /keys', 'GET /keys/:id', 'GET /keys/:id/reveal'],
      ...['GET /keys/balance', 'GET /usage', 'GET /keys/pricing', 'GET /keys/transactions'],
    ],
    run: documentedValues,
  },
  { title: 'consumption', routes: ['GET /keys/usage', 'GET /keys/usage/daily'], run: consumption },
  {
    title: 'settings, webhook and deposit',
    routes: [
      ...['GET /keys/settings', 'PUT /keys/settings', 'PUT /keys/settings/alerts', 'PUT /keys/settings/webhooks'],
      ...['POST /keys/settings/webhooks/rotate-secret', 'POST /keys/deposit', 'POST /keys/settings/webhooks/test'],
    ],
    run: settings,
  },
];

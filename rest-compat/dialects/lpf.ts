import type { Dialect } from '../table.ts';
import { authRows } from './lpf/auth.ts';
import { depositRows } from './lpf/deposits.ts';
import { emailAccountRows } from './lpf/emailAccount.ts';
import { errors } from './lpf/errors.ts';
import { examples } from './lpf/examples.ts';
import { keyRows } from './lpf/keys.ts';
import { settingsRows } from './lpf/settings.ts';
import { usageRows } from './lpf/usage.ts';
import { walletRows } from './lpf/wallet.ts';
import { webhookRows } from './lpf/webhooks.ts';

/** Le Proxy Français. */
export const lpf: Dialect = {
  name: 'lpf',
  prefix: '',
  title: 'Le Proxy Français — API',
  version: '1.0.0',
  description: 'API publique. Authentification par clé API (lpf_xxx) via Authorization: Bearer.',
  bearerDescription: 'Clé API (lpf_xxx), ou jeton de session',
  tags: [
    { name: 'Authentification', description: 'Connexion et compte' },
    { name: 'Clés API', description: 'Création, limites et révocation des clés' },
    { name: 'Usage & Solde', description: 'Crédits restants, consommation et transactions' },
    { name: 'Dépôts', description: 'Crédits contre des cryptomonnaies' },
    { name: 'Paramètres', description: 'Réglages du compte' },
    { name: 'Webhooks', description: 'Événements envoyés à votre serveur' },
  ],
  errors,
  rows: [
    ...authRows,
    ...walletRows,
    ...emailAccountRows,
    ...keyRows,
    ...usageRows,
    ...depositRows,
    ...settingsRows,
    ...webhookRows,
  ],
  examples,
};

import { createHmac } from 'node:crypto';

import type { Keyring } from '../../crypto.ts';
import type { SettingsRow } from './rows.ts';

/**
 * Secret that a user's webhooks are signed with, in the form of Standard Webhooks: `whsec_` and base64 of 32 bytes.
 * Made from the master key, user and number of the secret each time it is needed: none is stored.
 */
export function webhookSecret(
  { webhooks }: Pick<Keyring, 'webhooks'>,
  { userId, webhookSecretNo }: Pick<SettingsRow, 'userId' | 'webhookSecretNo'>,
): string {
  const bytes = createHmac('sha256', webhooks).update(`webhook:${userId}:${webhookSecretNo}`).digest();
  return `whsec_${bytes.toString('base64')}`;
}

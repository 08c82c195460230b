import { z } from 'zod';

import { MAX_ALLOWED_IPS } from '../resolvers/apiKeys/restrictions.ts';
import type { builder } from './builder.ts';
import { KeyScopeEnum, ProductEnum } from './enums.ts';
import { plainText } from './inputs.ts';

type Fields = Parameters<Parameters<typeof builder.inputType>[1]['fields']>[0];

/** Longest text of an IPv6 network, and some blanks. */
const MAX_NETWORK_CHARACTERS = 64;

const networks = z.array(plainText.max(MAX_NETWORK_CHARACTERS, 'is too long')).nullish();

/** Inputs of what an API key is restricted to. Absent and null differ for `updateApiKey`: leave alone, lift. */
export function restrictionFields(t: Fields) {
  return {
    scopes: t.field({ type: [KeyScopeEnum], description: 'What the key may do, at least one; null = everything.' }),
    expiresAt: t.field({
      type: 'DateTime',
      description: 'From then on the key is refused, and its connections and streams end; null = never.',
    }),
    allowedIps: t.stringList({
      validate: networks,
      description: `Addresses and CIDR networks of the clients that may use the key, at most ${MAX_ALLOWED_IPS}; IPv4-mapped IPv6 counts as IPv4. null = everybody; empty is refused.`,
    }),
    products: t.field({
      type: [ProductEnum],
      description: 'Products the key may be used for; null = every one; empty is refused.',
    }),
    showTargets: t.boolean({
      description:
        'Whether its open connections show where they go, from the next one on; null = false. Taken back, what was shown is forgotten at once.',
    }),
  };
}

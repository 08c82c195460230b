import { UpdateLimitsDocument } from '../../operations.generated.ts';
import { route } from '../../table.ts';
import { limits, limitSources } from './keys.ts';

const tag = 'Paramètres';

export const settingsRows = [
  route({
    method: 'PUT',
    path: '/keys/settings',
    tag,
    summary: 'Modifier les limites globales',
    description: 'Limites du compte entier. Un champ absent ne change pas ; null supprime une limite.',
    operation: UpdateLimitsDocument,
    variables: { input: limitSources },
    at: ['updateLimits', 'user'],
    reply: { success: true, settings: limits },
  }),
];

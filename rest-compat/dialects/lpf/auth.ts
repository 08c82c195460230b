import { choice, list, nullable, text } from '../../codecs.ts';
import { bigint, credits } from '../../numbers.ts';
import { ShowViewerDocument, SignInDocument } from '../../operations.generated.ts';
import { field, inside } from '../../shapes.ts';
import { body, constant } from '../../sources.ts';
import { route } from '../../table.ts';

const tag = 'Authentification';

const user = { id: field('databaseId', bigint), email: field('email', nullable(text)) };

export const authRows = [
  route({
    method: 'POST',
    path: '/auth/login',
    access: 'public',
    tag,
    summary: 'Connexion email',
    description: 'Le `token` s’emploie comme une clé API : `Authorization: Bearer`.',
    operation: SignInDocument,
    variables: {
      input: {
        email: body('email', text, 'Adresse email'),
        password: body('password', text, 'Mot de passe'),
        kind: constant('LPF'),
      },
    },
    at: ['signIn'],
    reply: { token: field('token', text), user: inside('user', user) },
    errors: ['INVALID_CREDENTIALS', 'EMAIL_NOT_VERIFIED', 'ACCOUNT_SUSPENDED', 'THROTTLED'],
  }),
  route({
    method: 'GET',
    path: '/auth/me',
    tag,
    summary: 'Utilisateur courant + permissions',
    operation: ShowViewerDocument,
    variables: {},
    at: ['viewer', 'user'],
    reply: {
      user: { ...user, balance: field('balance', credits) },
      role: field('role', choice({ USER: 'user', ADMIN: 'admin' })),
      permissions: field('permissions', list(text)),
    },
  }),
];

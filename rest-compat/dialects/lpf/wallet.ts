import { boolean, choice, nullable, text } from '../../codecs.ts';
import { bigint } from '../../numbers.ts';
import {
  CreateWalletChallengeDocument,
  LinkWalletDocument,
  SignInWithWalletDocument,
  UnlinkWalletDocument,
} from '../../operations.generated.ts';
import { field, inside } from '../../shapes.ts';
import { body, constant, optional, query } from '../../sources.ts';
import { route } from '../../table.ts';
import { address, bytes, lines } from '../../wallets.ts';

const tag = 'Authentification';

const who = ['address', address, 'Adresse Ethereum (0x...)'] as const;
const signature = ['signature', bytes, 'Signature du message par ce wallet (0x...)'] as const;

const id = field('databaseId', bigint);
const username = field('username', nullable(text));
const email = field('email', nullable(text));
const wallet_address = field('walletAddress', nullable(text));
const auth_type = field('authType', choice({ EMAIL: 'email', WALLET: 'wallet' }));
const user = { id, username, email, wallet_address, auth_type };

export const walletRows = [
  route({
    method: 'GET',
    path: '/auth/nonce',
    access: 'public',
    tag,
    summary: 'Obtenir un nonce pour la connexion wallet (SIWE)',
    description:
      'Signez `message` tel quel (personal_sign) dans les 5 minutes. `purpose=link` donne un message pour lier un wallet.',
    operation: CreateWalletChallengeDocument,
    variables: {
      input: {
        address: query(...who),
        purpose: optional(
          query('purpose', choice({ SIGN_IN: 'login', LINK: 'link' }), 'Usage du message : login (défaut) ou link'),
        ),
        chainId: optional(query('chain_id', bigint, 'Chaîne du wallet, 1 par défaut')),
      },
    },
    at: ['createWalletChallenge'],
    reply: { message: field('message', text), nonce: field('nonce', text) },
    errors: ['THROTTLED'],
  }),
  route({
    method: 'POST',
    path: '/auth/wallet',
    access: 'public',
    tag,
    summary: 'Connexion wallet',
    description: 'La première connexion crée le compte. Le `token` s’emploie comme une clé API.',
    operation: SignInWithWalletDocument,
    variables: {
      input: {
        address: body(...who),
        signature: body(...signature),
        message: body('message', lines, 'Message de /auth/nonce, tel quel'),
        kind: constant('LPF'),
      },
    },
    at: ['signInWithWallet'],
    reply: { token: field('token', text), user: inside('user', { id, username, wallet_address, auth_type: 'wallet' }) },
    errors: ['INVALID_CHALLENGE', 'INVALID_SIGNATURE', 'ACCOUNT_SUSPENDED', 'THROTTLED', 'UNAVAILABLE'],
  }),
  route({
    method: 'POST',
    path: '/auth/link-wallet',
    tag,
    summary: 'Lier un wallet au compte',
    description:
      'Si ce wallet a déjà un compte à lui seul, les deux comptes n’en font plus qu’un (`merged`) : solde, clés, transactions et webhook.',
    operation: LinkWalletDocument,
    variables: {
      input: {
        address: body(...who),
        signature: body(...signature),
        message: optional(
          body('message', lines, 'Message de /auth/nonce?purpose=link ; sinon, l’un des messages en cours'),
        ),
        acceptSignIn: constant(true),
      },
    },
    at: ['linkWallet'],
    reply: { success: true, merged: field('merged', boolean), user: inside('user', user) },
    errors: [
      'INVALID_CHALLENGE',
      'INVALID_SIGNATURE',
      'WALLET_TAKEN',
      'WALLET_ALREADY_LINKED',
      'MERGE_LIMIT_REACHED',
      'ACCOUNT_SUSPENDED',
      'THROTTLED',
      'UNAVAILABLE',
    ],
  }),
  route({
    method: 'DELETE',
    path: '/auth/unlink-wallet',
    tag,
    summary: 'Délier wallet du compte',
    operation: UnlinkWalletDocument,
    variables: { input: {} },
    at: ['unlinkWallet'],
    reply: { success: true, user: inside('user', user) },
    errors: ['NO_WALLET', 'LAST_CREDENTIAL'],
  }),
];

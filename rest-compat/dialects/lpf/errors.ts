import { text } from '../../codecs.ts';
import { ERROR_CODE, type ErrorStyle } from '../../errors.ts';
import { field, shapeOf } from '../../shapes.ts';

const texts = {
  UNAUTHENTICATED: {
    status: 401,
    message:
      'Authentification requise : envoyez « Authorization: Bearer » avec une clé API ou un jeton de session valide.',
  },
  INVALID_CREDENTIALS: {
    status: 401,
    message: 'Email ou mot de passe incorrect : vérifiez-les, ou demandez un nouveau mot de passe.',
  },
  INVALID_CHALLENGE: {
    status: 401,
    message: 'Message inconnu, déjà utilisé ou expiré : demandez un nonce, signez son message et renvoyez-le.',
  },
  INVALID_SIGNATURE: { status: 401, message: 'Signature invalide : signez le message exact avec ce wallet.' },
  INVALID_REFRESH_TOKEN: { status: 401, message: 'Jeton de renouvellement invalide ou expiré : reconnectez-vous.' },
  CREDENTIAL_REVOKED: { status: 401, message: 'Cette clé ou cette session a été révoquée ; utilisez-en une autre.' },
  FORBIDDEN: {
    status: 403,
    message: 'Ce compte n’a pas la permission nécessaire : demandez-la au support.',
  },
  EMAIL_NOT_VERIFIED: { status: 403, message: 'Email non vérifié : suivez le lien reçu par email.' },
  ACCOUNT_SUSPENDED: { status: 403, message: 'Compte suspendu : contactez le support.' },
  INSUFFICIENT_SCOPE: {
    status: 403,
    message: 'Cette clé n’a pas la portée nécessaire : utilisez une session ou une autre clé.',
  },
  ADDRESS_NOT_ALLOWED: {
    status: 403,
    message: 'Cette clé ne peut pas être utilisée depuis cette adresse IP : voir sa liste d’adresses autorisées.',
  },
  NOT_FOUND: { status: 404, message: 'Introuvable : vérifiez l’identifiant.' },
  BAD_INPUT: { status: 400, message: 'Requête invalide : vérifiez les champs envoyés.' },
  BAD_CURSOR: { status: 400, message: 'Curseur invalide : recommencez sans curseur.' },
  INVALID_TOKEN: { status: 400, message: 'Lien invalide, déjà utilisé ou expiré : demandez un nouvel email.' },
  WRONG_PASSWORD: { status: 400, message: 'Mot de passe actuel incorrect : vérifiez-le et réessayez.' },
  NO_PASSWORD: { status: 400, message: 'Ce compte n’a pas de mot de passe : connectez-vous avec son wallet.' },
  NO_WALLET: { status: 400, message: 'Aucun wallet n’est lié à ce compte : liez-en un d’abord.' },
  NO_WEBHOOK: { status: 400, message: 'Aucun webhook configuré : enregistrez d’abord une URL.' },
  CARD_CONSENT_REQUIRED: {
    status: 400,
    message: 'Le rechargement automatique exige save_card_consent : envoyez-le à true.',
  },
  KEY_LIMIT_REACHED: { status: 409, message: 'Maximum de 10 clés actives atteint : révoquez-en une d’abord.' },
  KEY_IS_REVOKED: { status: 409, message: 'Cette clé est révoquée : créez-en une autre.' },
  KEY_NOT_RECOVERABLE: { status: 409, message: 'Le secret de cette clé n’est pas conservé : regénérez la clé.' },
  EMAIL_TAKEN: { status: 409, message: 'Un autre compte utilise cet email : choisissez-en un autre.' },
  USERNAME_TAKEN: { status: 409, message: 'Ce nom d’utilisateur est déjà pris : choisissez-en un autre.' },
  WALLET_TAKEN: { status: 409, message: 'Ce wallet appartient à un autre compte : déliez-le d’abord de celui-ci.' },
  WALLET_ALREADY_LINKED: { status: 409, message: 'Un autre wallet est déjà lié : déliez-le d’abord.' },
  MERGE_LIMIT_REACHED: {
    status: 409,
    message: 'Fusion impossible : plus de 100 clés actives ou de 20 comptes en un seul ; révoquez des clés d’abord.',
  },
  LAST_CREDENTIAL: {
    status: 409,
    message: 'Ce wallet est le seul moyen de connexion du compte : gardez-le.',
  },
  NAME_TAKEN: { status: 409, message: 'Ce nom est déjà pris : choisissez-en un autre.' },
  EXIT_IS_CONFIGURED: {
    status: 409,
    message: 'Cette sortie vient de la configuration : retirez-la de EXITS_SHARED ou EXITS_DEDICATED.',
  },
  EXIT_LIMIT_REACHED: { status: 409, message: 'Maximum de 1000 sorties atteint : supprimez-en une d’abord.' },
  IDEMPOTENCY_MISMATCH: {
    status: 409,
    message: 'Cette clé d’idempotence a servi à une autre opération : choisissez-en une autre.',
  },
  INSUFFICIENT_CREDIT: { status: 402, message: 'Solde insuffisant : rechargez le compte.' },
  THROTTLED: { status: 429, message: 'Trop de tentatives : patientez avant de réessayer.' },
  TOO_MANY_SUBSCRIPTIONS: { status: 429, message: 'Trop d’abonnements ouverts : fermez-en un d’abord.' },
  NOT_IMPLEMENTED: { status: 501, message: 'Pas encore disponible dans cette version du service : revenez bientôt.' },
  UNAVAILABLE: { status: 503, message: 'Service momentanément indisponible : réessayez bientôt.' },
  INTERNAL: { status: 500, message: 'Une erreur est survenue de notre côté : réessayez plus tard.' },
  BAD_REQUEST: { status: 400, message: 'Corps illisible : envoyez un objet JSON valide, encodé en UTF-8.' },
  ROUTE_NOT_FOUND: { status: 404, message: 'Route inconnue : voir /openapi.json.' },
  METHOD_NOT_ALLOWED: { status: 405, message: 'Méthode non permise sur cette route : voir l’en-tête Allow.' },
  PAYLOAD_TOO_LARGE: { status: 413, message: 'Corps trop volumineux : envoyez 256 Kio au plus.' },
  UNSUPPORTED_MEDIA_TYPE: {
    status: 415,
    message: 'Format inconnu : envoyez le corps avec « Content-Type: application/json », sans compression.',
  },
} as const satisfies ErrorStyle['texts'];

/** `{"error": texte, "code": code}` */
export const errors = {
  texts,
  missing: 'Le champ « {field} » est obligatoire ; attendu : {expected}.',
  unfit: 'Le champ « {field} » est invalide ; attendu : {expected}.',
  expected: {
    text: 'un texte sans caractère de contrôle',
    boolean: 'true ou false',
    flag: '1 ou 0',
    flags: 'un objet dont les valeurs sont true ou false',
    integer: 'un nombre entier',
    credits: 'un nombre de crédits positif ou nul, avec au plus 9 décimales',
    decimal: 'un nombre avec au plus 9 décimales',
    id: 'un identifiant entier',
    date: 'une date ISO 8601',
    choice: 'l’une des valeurs {choices}',
    lines: 'le texte exact, avec ses sauts de ligne',
    bytes: '0x suivi de chiffres hexadécimaux, deux par octet',
    address: '0x suivi de 40 chiffres hexadécimaux, en une seule casse ou avec les majuscules de EIP-55',
  },
  body: shapeOf({ error: field('message', text), code: field('code', ERROR_CODE) }),
} satisfies ErrorStyle;

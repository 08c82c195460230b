/** What a mail is about. */
export type MailKind =
  'VERIFY_EMAIL' | 'ALREADY_REGISTERED' | 'RESET_PASSWORD' | 'PASSWORD_CHANGED' | 'WALLET_LINKED' | 'WALLET_UNLINKED';
export type MailLanguage = 'EN' | 'FR';

/** What a text may speak of. */
export interface Facts {
  /** What to follow, with the token. */
  readonly link: string;
  readonly token: string;
  /** Where the API is, without a slash at its end. */
  readonly publicUrl: string;
}

/** A paragraph, something to follow, or something to copy. */
export type Block = string | { readonly link: string } | { readonly code: string };

export interface Letter {
  readonly subject: string;
  readonly blocks: readonly Block[];
}

type Letters = Readonly<Record<MailKind, (facts: Facts) => Letter>>;

const resetCommand = ({ publicUrl, token }: Facts, password: string): string =>
  [
    `curl -X POST '${publicUrl}/auth/reset-password' \\`,
    `  -H 'Content-Type: application/json' \\`,
    `  -d '${JSON.stringify({ token, password })}'`,
  ].join('\n');

const EN: Letters = {
  VERIFY_EMAIL: ({ link }) => ({
    subject: 'Confirm your e-mail address',
    blocks: [
      'A Passerelle account was made with this address. To confirm it, follow this link within 24 hours:',
      { link },
      'If it was not you, do not follow the link: nobody can use the account without it.',
    ],
  }),
  ALREADY_REGISTERED: ({ publicUrl }) => ({
    subject: 'You have an account already',
    blocks: [
      'Somebody, probably you, has just signed up with this address, which has a Passerelle account already. Nothing was changed.',
      `Sign in with your password. If it is lost, ask for a new one: POST ${publicUrl}/auth/forgot-password with your address as "email", or the GraphQL mutation requestPasswordReset.`,
    ],
  }),
  RESET_PASSWORD: (facts) => ({
    subject: 'Choose a new password',
    blocks: [
      'Somebody, probably you, has asked for a new password of the Passerelle account with this address. The link works once, within one hour:',
      { link: facts.link },
      'If no page opens there, send this token yourself:',
      { code: facts.token },
      'with a new password of at least 8 characters, by the GraphQL mutation resetPassword or so:',
      { code: resetCommand(facts, 'YOUR_NEW_PASSWORD') },
      'If it was not you, ignore this mail: your password stays as it is.',
    ],
  }),
  PASSWORD_CHANGED: ({ publicUrl }) => ({
    subject: 'Your password was changed',
    blocks: [
      'The password of the Passerelle account with this address was changed just now. Other sessions were ended; API keys and a linked wallet still open the account.',
      `If it was not you, ask for a new password at once: POST ${publicUrl}/auth/forgot-password with your address as "email". Then unlink a wallet that is not yours and revoke the API keys that you do not know.`,
    ],
  }),
  WALLET_LINKED: ({ publicUrl }) => ({
    subject: 'A wallet was linked to your account',
    blocks: [
      'A wallet was linked to the Passerelle account with this address just now: whoever has it can sign in, also after a change of password.',
      `If it was not you, unlink it at once: DELETE ${publicUrl}/auth/unlink-wallet, or the GraphQL mutation unlinkWallet. Then revoke the API keys that you do not know, end the other sessions and change your password.`,
    ],
  }),
  WALLET_UNLINKED: ({ publicUrl }) => ({
    subject: 'The wallet of your account was unlinked',
    blocks: [
      'The wallet of the Passerelle account with this address was unlinked just now: it opens the account no more. Sessions that were opened with it still work.',
      `If it was not you, revoke the API keys that you do not know and change your password: POST ${publicUrl}/auth/change-password, or the GraphQL mutation changePassword. That ends every other session.`,
    ],
  }),
};

const FR: Letters = {
  VERIFY_EMAIL: ({ link }) => ({
    subject: 'Confirmez votre adresse email',
    blocks: [
      'Un compte Passerelle a été créé avec cette adresse. Pour la confirmer, suivez ce lien dans les 24 heures :',
      { link },
      'Si ce n’était pas vous, ne suivez pas le lien : sans lui, personne ne peut utiliser ce compte.',
    ],
  }),
  ALREADY_REGISTERED: ({ publicUrl }) => ({
    subject: 'Vous avez déjà un compte',
    blocks: [
      'Quelqu’un, sans doute vous, vient de s’inscrire avec cette adresse, qui a déjà un compte Passerelle. Rien n’a été modifié.',
      `Connectez-vous avec votre mot de passe. Si vous l’avez perdu, demandez-en un nouveau : POST ${publicUrl}/auth/forgot-password avec votre adresse dans « email », ou la mutation GraphQL requestPasswordReset.`,
    ],
  }),
  RESET_PASSWORD: (facts) => ({
    subject: 'Choisissez un nouveau mot de passe',
    blocks: [
      'Quelqu’un, sans doute vous, a demandé un nouveau mot de passe pour le compte Passerelle de cette adresse. Le lien ne sert qu’une fois, dans l’heure :',
      { link: facts.link },
      'Si aucune page ne s’y ouvre, envoyez vous-même ce jeton :',
      { code: facts.token },
      'avec un nouveau mot de passe d’au moins 8 caractères, par la mutation GraphQL resetPassword ou ainsi :',
      { code: resetCommand(facts, 'VOTRE_NOUVEAU_MOT_DE_PASSE') },
      'Si ce n’était pas vous, ignorez cet email : votre mot de passe reste le même.',
    ],
  }),
  PASSWORD_CHANGED: ({ publicUrl }) => ({
    subject: 'Votre mot de passe a été modifié',
    blocks: [
      'Le mot de passe du compte Passerelle de cette adresse vient d’être modifié. Les autres sessions sont fermées ; les clés API et un wallet lié ouvrent toujours le compte.',
      `Si ce n’était pas vous, demandez tout de suite un nouveau mot de passe : POST ${publicUrl}/auth/forgot-password avec votre adresse dans « email ». Déliez ensuite un wallet qui n’est pas le vôtre et révoquez les clés API que vous ne reconnaissez pas.`,
    ],
  }),
  WALLET_LINKED: ({ publicUrl }) => ({
    subject: 'Un wallet a été lié à votre compte',
    blocks: [
      'Un wallet vient d’être lié au compte Passerelle de cette adresse : qui le détient peut se connecter, même après un changement de mot de passe.',
      `Si ce n’était pas vous, déliez-le tout de suite : DELETE ${publicUrl}/auth/unlink-wallet, ou la mutation GraphQL unlinkWallet. Révoquez ensuite les clés API que vous ne reconnaissez pas, fermez les autres sessions et changez votre mot de passe.`,
    ],
  }),
  WALLET_UNLINKED: ({ publicUrl }) => ({
    subject: 'Le wallet de votre compte a été délié',
    blocks: [
      'Le wallet du compte Passerelle de cette adresse vient d’être délié : il n’ouvre plus le compte. Les sessions ouvertes avec lui restent valables.',
      `Si ce n’était pas vous, révoquez les clés API que vous ne reconnaissez pas et changez votre mot de passe : POST ${publicUrl}/auth/change-password, ou la mutation GraphQL changePassword. Les autres sessions sont alors fermées.`,
    ],
  }),
};

/** Words of every mail. They name nothing that a stranger typed: anybody can have a mail sent to anybody. */
export const LETTERS: Readonly<Record<MailLanguage, Letters>> = { EN, FR };

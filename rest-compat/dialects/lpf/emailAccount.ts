import { text } from '../../codecs.ts';
import {
  ChangePasswordDocument,
  RequestPasswordResetDocument,
  ResendVerificationDocument,
  ResetPasswordDocument,
  SignUpDocument,
  VerifyEmailDocument,
} from '../../operations.generated.ts';
import { body, constant, query } from '../../sources.ts';
import { route } from '../../table.ts';

const tag = 'Authentification';

const email = body('email', text, 'Adresse email, comme nom@exemple.fr');
const newPassword = (name: string) => body(name, text, 'Mot de passe, 8 à 1000 caractères');

export const emailAccountRows = [
  route({
    method: 'POST',
    path: '/auth/register',
    access: 'public',
    tag,
    summary: 'Inscription email',
    description: 'Le compte est utilisable une fois le lien de l’email suivi.',
    operation: SignUpDocument,
    variables: {
      input: {
        username: body('username', text, 'Nom d’utilisateur, 3 à 32 caractères, différent d’une adresse de wallet'),
        email,
        password: newPassword('password'),
        language: constant('FR'),
      },
    },
    at: ['signUp'],
    reply: { success: true, message: 'Email de confirmation envoyé' },
    errors: ['USERNAME_TAKEN', 'THROTTLED'],
  }),
  route({
    method: 'GET',
    path: '/auth/verify-email',
    access: 'public',
    tag,
    summary: 'Vérifier email',
    description: 'Le même jeton reste accepté pendant 24 heures.',
    operation: VerifyEmailDocument,
    variables: { input: { token: query('token', text, 'Token reçu par email') } },
    at: ['verifyEmail'],
    reply: { success: true, message: 'Email vérifié avec succès' },
    errors: ['INVALID_TOKEN'],
  }),
  route({
    method: 'POST',
    path: '/auth/resend-verification',
    access: 'public',
    tag,
    summary: 'Renvoyer email de vérification',
    description: 'La réponse est la même, que le compte existe ou non.',
    operation: ResendVerificationDocument,
    variables: { input: { email } },
    at: ['resendVerification'],
    reply: { success: true },
    errors: ['THROTTLED'],
  }),
  route({
    method: 'POST',
    path: '/auth/forgot-password',
    access: 'public',
    tag,
    summary: 'Demander reset mot de passe',
    description: 'La réponse est la même, que le compte existe ou non.',
    operation: RequestPasswordResetDocument,
    variables: { input: { email } },
    at: ['requestPasswordReset'],
    reply: { success: true, message: 'Si un compte existe, un email a été envoyé' },
    errors: ['THROTTLED'],
  }),
  route({
    method: 'POST',
    path: '/auth/reset-password',
    access: 'public',
    tag,
    summary: 'Réinitialiser mot de passe',
    description: 'Ferme toutes les sessions ; les clés API restent valables.',
    operation: ResetPasswordDocument,
    variables: {
      input: { token: body('token', text, 'Token reçu par email'), password: newPassword('password') },
    },
    at: ['resetPassword'],
    reply: { success: true, message: 'Mot de passe réinitialisé' },
    errors: ['INVALID_TOKEN'],
  }),
  route({
    method: 'POST',
    path: '/auth/change-password',
    tag,
    summary: 'Changer mot de passe',
    description: 'Ferme les autres sessions ; les clés API restent valables.',
    operation: ChangePasswordDocument,
    variables: {
      input: {
        currentPassword: body('currentPassword', text, 'Mot de passe actuel'),
        newPassword: newPassword('newPassword'),
      },
    },
    at: ['changePassword'],
    reply: { success: true, message: 'Mot de passe modifié' },
    errors: ['WRONG_PASSWORD', 'NO_PASSWORD', 'THROTTLED'],
  }),
];

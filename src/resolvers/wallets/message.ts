import type { WalletChallenge } from '../../../prisma/generated/client/client.ts';
import type { OperationContext } from '../../context.ts';
import { AppError } from '../../errors.ts';
import type { WalletAddress } from './address.ts';

export type ChallengePurpose = WalletChallenge['purpose'];

/** What people read in their wallet before they sign. ASCII: EIP-4361 allows no accents. */
const STATEMENTS = {
  SIGN_IN: 'Connexion a Le Proxy Francais',
  LINK: 'Lier ce wallet a un compte Le Proxy Francais (link)',
} as const satisfies Record<ChallengePurpose, string>;

export interface MessageParts {
  readonly address: WalletAddress;
  readonly purpose: ChallengePurpose;
  readonly chainId: bigint;
  /** 32 hexadecimal digits: a UUID without its hyphens, which EIP-4361 does not allow. */
  readonly nonce: string;
  readonly issuedAt: Date;
  readonly expiresAt: Date;
}

type Site = Pick<OperationContext, 'publicUrl'>;

/** The text to be signed (EIP-4361). Domain and URI are what the operator configured, never what a request says. */
export async function writeMessage({ publicUrl }: Site, parts: MessageParts): Promise<string> {
  const { SiweMessage } = await import('siwe');
  return new SiweMessage({
    ...siteOf(publicUrl()),
    address: parts.address.checksummed,
    statement: STATEMENTS[parts.purpose],
    version: '1',
    chainId: Number(parts.chainId),
    nonce: parts.nonce,
    issuedAt: parts.issuedAt.toISOString(),
    expirationTime: parts.expiresAt.toISOString(),
  }).prepareMessage();
}

/** The fields of a message that is well-formed. */
export interface ParsedMessage {
  readonly domain: string;
  readonly address: string;
  readonly uri: string;
  readonly chainId: number;
  readonly nonce: string;
  readonly expirationTime?: string | undefined;
  readonly notBefore?: string | undefined;
}

/**
 * Reads a message by the grammar of EIP-4361.
 * @throws AppError BAD_INPUT for a text that is none
 */
export async function parseMessage(text: string): Promise<ParsedMessage> {
  const { SiweMessage } = await import('siwe');
  let parsed;
  try {
    parsed = new SiweMessage(text);
  } catch (cause) {
    throw malformed(cause);
  }
  // The two points where siwe is laxer than the specification: EIP-155 knows no chain 0, a statement has a character.
  if (!Number.isSafeInteger(parsed.chainId) || parsed.chainId < 1 || parsed.statement === '') throw malformed();
  return parsed;
}

function malformed(cause?: unknown): AppError {
  const message = 'message: must be one that this service gave out to be signed (EIP-4361), unchanged';
  return new AppError('BAD_INPUT', { message, field: 'message', cause });
}

/**
 * Reads a message of this site, valid now, of the wallet that is said to have signed it.
 * @throws AppError BAD_INPUT for a text that is no message, INVALID_CHALLENGE for one of another site, time or wallet
 */
export async function requireOwnMessage(
  { publicUrl, now }: Pick<OperationContext, 'publicUrl' | 'now'>,
  text: string,
  wallet: WalletAddress,
): Promise<ParsedMessage> {
  const message = await parseMessage(text);
  const { domain, uri } = siteOf(publicUrl());
  const at = now().getTime();
  const ours = message.domain === domain && message.uri === uri && message.address === wallet.checksummed;
  const expired = message.expirationTime === undefined || Date.parse(message.expirationTime) <= at;
  const early = message.notBefore !== undefined && Date.parse(message.notBefore) > at;
  if (!ours || expired || early) throw new AppError('INVALID_CHALLENGE');
  return message;
}

function siteOf(publicUrl: string): { readonly domain: string; readonly uri: string } {
  return { domain: new URL(publicUrl).host, uri: publicUrl };
}

import type { RefusalCode } from '../errors.ts';
import type { Denial } from '../keyRules.ts';
import type { AuthenticatedKey } from '../metering/session.ts';
import type { ProxyProtocol } from '../openConnection.ts';
import type { Answers, Refusal } from './answers.ts';
import { isUnjudged } from './judging.ts';
import { Negotiation } from './negotiation.ts';
import { AUTHENTICATED, NOT_AUTHENTICATED, type Decoder, type Request } from './socks5.ts';

/** The client's side of a handshake on one of Node's sockets. */
export interface Channel {
  /**
   * The next message, which may have arrived before the last one was answered.
   * @returns undefined when the client has gone, or let the time for its handshake pass
   */
  receive<Message>(decode: Decoder<Message>): Promise<Message | undefined>;
  send(bytes: Uint8Array): void;
  /** Sends the last answer and closes, so that the answer arrives. */
  finish(answer: Uint8Array): void;
  /** Closes without an answer. */
  drop(): void;
}

/**
 * What a username stands for. `denial`: it is authenticated, and its requests are refused all the same. `keyId` with
 * a refusal when it is known whose it is.
 */
export type Authentication =
  | { readonly key: AuthenticatedKey; readonly denial?: Denial }
  | {
      readonly refusal: RefusalCode;
      readonly keyId?: bigint;
      /** More precise than the catalogue's. */
      readonly message?: string;
      /** With `THROTTLED`. */
      readonly retryAfterSeconds?: number;
    };

export type Refused = Extract<Authentication, { refusal: unknown }>;

/** What the client is told. */
export function refusalOf({ refusal: code, message, retryAfterSeconds }: Refused): Refusal {
  return {
    code,
    ...(message !== undefined && { message }),
    ...(retryAfterSeconds !== undefined && { retryAfterSeconds }),
  };
}

/** Who decides about credentials, and keeps the reasons of refusals. */
export interface Gate {
  /** Neither throws nor rejects: `isUnjudged` when nobody could tell. */
  authenticate(username: string): Authentication | Promise<Authentication>;
  /**
   * @param keyId absent when the refusal cannot be attributed to a key
   * @param message more precise than the catalogue's
   */
  refused(code: RefusalCode, keyId?: bigint, message?: string): void;
}

export interface Negotiated {
  readonly key: AuthenticatedKey;
  readonly request: Pick<Request, 'host' | 'port'>;
  /** Not for a connection to the target: for datagrams. */
  readonly associates?: true;
  readonly protocol: ProxyProtocol;
  /** How to tell the client what became of its request. */
  readonly answers: Answers;
}

/**
 * Leads a client through the negotiation.
 * @returns undefined when it came to nothing; the client has its answer then
 */
export async function handshake(channel: Channel, gate: Gate): Promise<Negotiated | undefined> {
  const negotiation = new Negotiation();
  let identity: Authentication | undefined;
  for (;;) {
    const move = await channel.receive(negotiation.read);
    if (move === undefined) return undefined;
    const { answers } = negotiation;
    if (move.kind === 'FAIL') {
      if (move.noCredentials) gate.refused('NO_CREDENTIALS');
      if (move.answer === undefined) channel.drop();
      else channel.finish(move.answer);
      return undefined;
    }
    if (move.kind === 'SEND') {
      channel.send(move.answer);
    } else if (move.kind === 'LOGIN') {
      identity = await gate.authenticate(move.username);
      // RFC 1929 has no word for a key of which nobody can tell: its request is refused with the reason.
      if ('refusal' in identity && !isUnjudged(identity)) return refuse(channel, gate, identity, NOT_AUTHENTICATED);
      channel.send(AUTHENTICATED);
    } else if (move.kind === 'LOGIN_AND_CONNECT') {
      identity = await gate.authenticate(move.username);
      if ('refusal' in identity) return refuse(channel, gate, identity, answers.refused(refusalOf(identity)));
      return { key: identity.key, request: move.request, protocol: 'HTTP', answers };
    } else if (identity !== undefined) {
      if ('refusal' in identity) return refuse(channel, gate, identity, answers.refused(refusalOf(identity)));
      const negotiated = { key: identity.key, request: move.request, protocol: 'SOCKS5', answers } as const;
      return move.kind === 'ASSOCIATE' ? { ...negotiated, associates: true } : negotiated;
    }
  }
}

function refuse(channel: Channel, gate: Gate, refused: Refused, answer: Uint8Array): undefined {
  gate.refused(refused.refusal, refused.keyId, refused.message);
  channel.finish(answer);
}

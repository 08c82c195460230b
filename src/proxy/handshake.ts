import type { RefusalCode } from '../errors.ts';
import type { Denial } from '../keyRules.ts';
import type { AuthenticatedKey } from '../metering/session.ts';
import {
  AUTHENTICATED,
  COMMANDS,
  decodeCredentials,
  decodeGreeting,
  decodeRequest,
  encodeReply,
  MalformedMessage,
  METHOD_PASSWORD,
  NO_ACCEPTABLE_METHOD,
  NOT_AUTHENTICATED,
  REPLIES,
  SELECT_PASSWORD,
  type Decoder,
  type Request,
} from './socks5.ts';

/** The client's side of a handshake, whatever carries it: a socket here, a descriptor in a relay worker. */
export interface Channel {
  /**
   * The next message, which may have arrived before the last one was answered.
   * @returns undefined when the client has gone, or let the time for its handshake pass
   * @throws MalformedMessage
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
  | { readonly refusal: RefusalCode; readonly message?: string; readonly keyId?: bigint };

/** Who decides about credentials, and keeps the reasons of refusals. */
export interface Gate {
  authenticate(username: string): Authentication | Promise<Authentication>;
  /**
   * @param keyId absent when the refusal cannot be attributed to a key
   * @param message more precise than the catalogue's
   */
  refused(code: RefusalCode, keyId?: bigint, message?: string): void;
}

export interface Negotiated {
  readonly key: AuthenticatedKey;
  readonly request: Request;
}

/**
 * Greeting, authentication and request (RFC 1928, sections 3 and 4; RFC 1929).
 * @returns undefined when it came to nothing; the client has its answer then
 */
export async function handshake(channel: Channel, gate: Gate): Promise<Negotiated | undefined> {
  try {
    if (!(await greet(channel, gate))) return undefined;
    const key = await login(channel, gate);
    if (key === undefined) return undefined;
    const request = await channel.receive(decodeRequest);
    if (request === undefined) return undefined;
    if (request.command === COMMANDS.CONNECT) return { key, request };
    channel.finish(encodeReply(REPLIES.COMMAND_NOT_SUPPORTED));
  } catch (error) {
    if (!(error instanceof MalformedMessage)) throw error;
    if (error.reply === undefined) channel.drop();
    else channel.finish(encodeReply(error.reply));
  }
  return undefined;
}

/** Method 2 is chosen whenever it is offered: curl and others offer "no authentication" beside it. */
async function greet(channel: Channel, gate: Gate): Promise<boolean> {
  const greeting = await channel.receive(decodeGreeting);
  if (greeting === undefined) return false;
  if (greeting.methods.includes(METHOD_PASSWORD)) {
    channel.send(SELECT_PASSWORD);
    return true;
  }
  gate.refused('NO_CREDENTIALS');
  channel.finish(NO_ACCEPTABLE_METHOD);
  return false;
}

/** The username is the key. The password is not looked at: some clients cannot send an empty one, others no other. */
async function login(channel: Channel, gate: Gate): Promise<AuthenticatedKey | undefined> {
  const credentials = await channel.receive(decodeCredentials);
  if (credentials === undefined) return undefined;
  let answer: Authentication;
  try {
    const decision = gate.authenticate(credentials.username);
    answer = decision instanceof Promise ? await decision : decision;
  } catch (error) {
    channel.finish(NOT_AUTHENTICATED);
    throw error;
  }
  if ('refusal' in answer) {
    gate.refused(answer.refusal, answer.keyId, answer.message);
    channel.finish(NOT_AUTHENTICATED);
    return undefined;
  }
  channel.send(AUTHENTICATED);
  return answer.key;
}

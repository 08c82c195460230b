import { SOCKS_ANSWERS, type Answers } from './answers.ts';
import { httpAnswers, malformedAnswer } from './httpAnswers.ts';
import { decodeConnect, decodeProtocol, MalformedRequest } from './httpConnect.ts';
import {
  COMMANDS,
  decodeCredentials,
  decodeGreeting,
  decodeRequest,
  encodeReply,
  MalformedMessage,
  METHOD_PASSWORD,
  NO_ACCEPTABLE_METHOD,
  REPLIES,
  SELECT_PASSWORD,
  type Decoded,
  type Decoder,
  type Request,
} from './socks5.ts';

/** What is to be done after a message of a client. */
export type Move =
  /** The method is chosen: tell the client. */
  | { readonly kind: 'SEND'; readonly answer: Uint8Array }
  /** Somebody presents a key: read on when it is found good. */
  | { readonly kind: 'LOGIN'; readonly username: string }
  | { readonly kind: 'CONNECT'; readonly request: Pick<Request, 'host' | 'port'> }
  /** Datagrams are to be relayed; the request says where the client will send from, if it knows. */
  | { readonly kind: 'ASSOCIATE'; readonly request: Pick<Request, 'host' | 'port'> }
  /** Both in one message: HTTP CONNECT with a key. */
  | { readonly kind: 'LOGIN_AND_CONNECT'; readonly username: string; readonly request: Pick<Request, 'host' | 'port'> }
  /** It comes to nothing: the last answer, if one is owed, and close. */
  | { readonly kind: 'FAIL'; readonly answer: Uint8Array | undefined; readonly noCredentials: boolean };

type Stage = 'GREETING' | 'LOGIN' | 'REQUEST';

/**
 * Greeting, login and request (RFC 1928, sections 3 and 4; RFC 1929) of one client, whatever
 * carries its bytes: what came so far goes in, what to do comes out. No input and output here.
 */
export class Negotiation {
  #stage: Stage = 'GREETING';
  #answers: Answers = SOCKS_ANSWERS;

  /** How to tell the client what became of its request. */
  get answers(): Answers {
    return this.#answers;
  }

  /** Reads the next message from the start of what was received; undefined while it is incomplete. */
  readonly read: Decoder<Move> = (bytes) => {
    try {
      if (this.#stage === 'GREETING') {
        return decodeProtocol(bytes)?.message === 'HTTP' ? this.#http(bytes) : this.#greeting(bytes);
      }
      return this.#stage === 'LOGIN' ? this.#login(bytes) : this.#request(bytes);
    } catch (error) {
      if (error instanceof MalformedRequest) {
        return { message: { kind: 'FAIL', answer: malformedAnswer(error), noCredentials: false }, length: 0 };
      }
      if (!(error instanceof MalformedMessage)) throw error;
      const answer = error.reply === undefined ? undefined : encodeReply(error.reply);
      return { message: { kind: 'FAIL', answer, noCredentials: false }, length: 0 };
    }
  };

  #http(bytes: Buffer): Decoded<Move> {
    const decoded = decodeConnect(bytes);
    if (decoded === undefined) return undefined;
    const { username, wantsJson, ...request } = decoded.message;
    const { length } = decoded;
    this.#answers = httpAnswers(wantsJson);
    if (username !== undefined) return { message: { kind: 'LOGIN_AND_CONNECT', username, request }, length };
    const answer = this.#answers.refused({ code: 'NO_CREDENTIALS' });
    return { message: { kind: 'FAIL', answer, noCredentials: true }, length };
  }

  /** Method 2 is chosen whenever it is offered: curl and others offer "no authentication" beside it. */
  #greeting(bytes: Buffer): Decoded<Move> {
    const greeting = decodeGreeting(bytes);
    if (greeting === undefined) return undefined;
    const { message, length } = greeting;
    if (!message.methods.includes(METHOD_PASSWORD)) {
      return { message: { kind: 'FAIL', answer: NO_ACCEPTABLE_METHOD, noCredentials: true }, length };
    }
    this.#stage = 'LOGIN';
    return { message: { kind: 'SEND', answer: SELECT_PASSWORD }, length };
  }

  /** The username is the key. The password is not looked at: some clients cannot send an empty one, others no other. */
  #login(bytes: Buffer): Decoded<Move> {
    const credentials = decodeCredentials(bytes);
    if (credentials === undefined) return undefined;
    this.#stage = 'REQUEST';
    return { message: { kind: 'LOGIN', username: credentials.message.username }, length: credentials.length };
  }

  #request(bytes: Buffer): Decoded<Move> {
    const decoded = decodeRequest(bytes);
    if (decoded === undefined) return undefined;
    const { message: request, length } = decoded;
    if (request.command === COMMANDS.CONNECT) return { message: { kind: 'CONNECT', request }, length };
    if (request.command === COMMANDS.UDP_ASSOCIATE) return { message: { kind: 'ASSOCIATE', request }, length };
    const answer = encodeReply(REPLIES.COMMAND_NOT_SUPPORTED);
    return { message: { kind: 'FAIL', answer, noCredentials: false }, length };
  }
}

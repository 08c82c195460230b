import type { IncomingMessage } from 'node:http';

import { MessageType, type Context, type ConnectionInitMessage } from 'graphql-ws';
import { WebSocket } from 'ws';

import { clientAddressOf } from '../clientAddress.ts';
import type { OperationContext } from '../context.ts';
import { AppError, type ErrorCode } from '../errors.ts';
import type { LiveUsage } from '../events.ts';
import type { Executor, PreparedOperation } from '../graphql/types.ts';
import { apiDenial, ENDED_FOR, type KeyRules } from '../keyRules.ts';

/** Close codes: those of the graphql-transport-ws protocol that we send ourselves, and of RFC 6455. */
export const CLOSE = {
  GOING_AWAY: 1001,
  /** Clients connect again: the same credential opens another account now. */
  ACCOUNT_MERGED: 1012,
  BAD_REQUEST: 4400,
  UNAUTHENTICATED: 4401,
  /** The credential was good, and is no longer; or it is, and may not be used for this. */
  FORBIDDEN: 4403,
  TOO_MANY: 4429,
  INTERNAL: 4500,
} as const;

/** Why a socket is closed with `FORBIDDEN`. */
const REASONS: Partial<Record<ErrorCode, string>> = {
  ACCOUNT_SUSPENDED: 'Account suspended',
  ADDRESS_NOT_ALLOWED: 'Address not allowed',
  INSUFFICIENT_SCOPE: 'Insufficient scope',
};

/** A peer that does not answer the closing handshake is cut off after this. */
const CLOSE_GRACE_MS = 1_000;
/** Unsent bytes above which nothing more is read from a socket: its own answers fill it. */
const PAUSE_BYTES = 512 * 1024;
const RESUME_POLL_MS = 50;
/** Time for the last events of an account that was merged into another. */
const LAST_EVENTS_MS = 1_000;

/** Thrown where graphql-ws must not go on: the socket is closed with this code. */
export class CloseSocket extends Error {
  override readonly name = 'CloseSocket';
  readonly code: number;
  constructor(code: number, reason: string) {
    super(reason);
    this.code = code;
  }
}

export type GraphqlSocket = Context<ConnectionInitMessage['payload'], Connection>;

/** One WebSocket and whom it acts for. */
export class Connection {
  readonly socket: WebSocket;
  readonly request: IncomingMessage;
  #context: OperationContext | undefined;
  #unwatch: (() => void) | undefined;
  #paused = false;

  constructor(socket: WebSocket, request: IncomingMessage) {
    this.socket = socket;
    this.request = request;
  }

  /** The rights of the connection, for one operation: caches that live on a context are its own. */
  context(): OperationContext {
    if (this.#context === undefined) throw new CloseSocket(CLOSE.UNAUTHENTICATED, 'Unauthorized');
    return { ...this.#context };
  }

  /**
   * Authenticates `connection_init`.
   * @throws CloseSocket without a good credential
   */
  async authenticate(executor: Executor, live: LiveUsage, graphqlSocket: GraphqlSocket): Promise<void> {
    const authorization = authorizationOf(graphqlSocket.connectionParams) ?? this.request.headers.authorization;
    if (authorization === undefined) throw new CloseSocket(CLOSE.UNAUTHENTICATED, 'Unauthorized');
    const clientAddress = clientAddressOf(this.request);
    const context = await executor.contextFor({ authorization, clientAddress }).catch(refuse);
    if (context.viewer === null) throw new CloseSocket(CLOSE.UNAUTHENTICATED, 'Unauthorized');
    if (this.socket.readyState !== WebSocket.OPEN) return;
    this.#context = context;
    const revoke = (why: ErrorCode): void => this.#revoke(executor, graphqlSocket, why);
    this.#unwatch = live.watchCredential(
      context.viewer,
      (cause) => (cause === 'MOVED' ? this.#leave() : revoke(ENDED_FOR[cause])),
      (rules) => {
        const denied = apiDenial(rules, clientAddress);
        if (denied === undefined) this.#obey(rules);
        else revoke(denied);
      },
    );
  }

  /** Later operations have the rights of now. */
  #obey({ scopes }: KeyRules): void {
    if (this.#context?.viewer) this.#context = { ...this.#context, viewer: { ...this.#context.viewer, scopes } };
  }

  /** The streams of the account come to their end by themselves. */
  #leave(): void {
    const timer = setTimeout(() => this.close(CLOSE.ACCOUNT_MERGED, 'Account merged'), LAST_EVENTS_MS);
    this.socket.once('close', () => clearTimeout(timer));
  }

  /** Every open operation hears why, then the socket is closed. */
  #revoke(executor: Executor, { subscriptions }: GraphqlSocket, why: ErrorCode): void {
    const payload = [executor.maskError(new AppError(why)).toJSON()];
    for (const id of Object.keys(subscriptions)) {
      if (this.socket.readyState === WebSocket.OPEN) {
        this.socket.send(JSON.stringify({ id, type: MessageType.Error, payload }));
      }
    }
    this.close(CLOSE.FORBIDDEN, REASONS[why] ?? 'Credential revoked');
  }

  send(text: string): Promise<void> {
    return new Promise((resolve) => {
      if (this.socket.readyState === WebSocket.OPEN) this.socket.send(text, () => resolve());
      else resolve();
    });
  }

  close(code: number, reason: string): void {
    this.socket.close(code, reason);
    this.socket.resume();
    const cutOff = setTimeout(() => this.socket.terminate(), CLOSE_GRACE_MS);
    this.socket.once('close', () => clearTimeout(cutOff));
  }

  /** Reads nothing more from a peer that does not take its answers. */
  holdBack(): void {
    if (this.#paused || this.socket.bufferedAmount <= PAUSE_BYTES) return;
    this.#paused = true;
    this.socket.pause();
    const look = (): void => {
      if (this.socket.readyState === WebSocket.OPEN && this.socket.bufferedAmount > PAUSE_BYTES) {
        setTimeout(look, RESUME_POLL_MS);
        return;
      }
      this.#paused = false;
      this.socket.resume();
    };
    setTimeout(look, RESUME_POLL_MS);
  }

  closed(): void {
    this.#unwatch?.();
  }
}

/** One operation of a connection, as graphql-ws carries it from one hook to the next. */
export class SocketOperation {
  readonly connection: Connection;
  readonly id: string;
  readonly prepared: PreparedOperation;

  constructor(connection: Connection, id: string, prepared: PreparedOperation) {
    this.connection = connection;
    this.id = id;
    this.prepared = prepared;
  }
}

function authorizationOf(params: Readonly<Record<string, unknown>> | undefined): string | undefined {
  const name = Object.keys(params ?? {}).find((key) => key.toLowerCase() === 'authorization');
  const value = name === undefined ? undefined : params?.[name];
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'string') throw new CloseSocket(CLOSE.UNAUTHENTICATED, 'Unauthorized');
  return value;
}

function refuse(error: unknown): never {
  if (!(error instanceof AppError)) throw error;
  if (error.code === 'THROTTLED') throw new CloseSocket(CLOSE.TOO_MANY, 'Too many failed attempts');
  if (error.status === 401) throw new CloseSocket(CLOSE.UNAUTHENTICATED, 'Unauthorized');
  if (error.status === 403) throw new CloseSocket(CLOSE.FORBIDDEN, REASONS[error.code] ?? 'Forbidden');
  throw error;
}

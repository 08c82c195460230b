import type { DialFailure } from '../relay/relay.ts';
import { COMMANDS, decodeTarget, encodePeer, REPLIES, type Target } from '../socks5.ts';
import type { Blame, Setback } from './exit.ts';
import type { UpstreamHandshake, UpstreamMove, UpstreamRequest } from './upstream.ts';

const VERSION = 5;
const AUTH_VERSION = 1;
const NO_AUTHENTICATION = 0;
const PASSWORD = 2;
const IPV4 = 1;
const DOMAIN = 3;
const IPV6 = 4;

/**
 * What the replies of RFC 1928, section 6, say about target and exit. General failure, "not allowed"
 * and an unknown address type may be about this target alone; whatever is not listed is no answer to
 * a CONNECT of ours and the exit's fault.
 */
const FAILURES: Readonly<Record<number, readonly [DialFailure, Blame]>> = {
  [REPLIES.GENERAL_FAILURE]: ['HOST_UNREACHABLE', 'UNSURE'],
  [REPLIES.NOT_ALLOWED]: ['HOST_UNREACHABLE', 'UNSURE'],
  [REPLIES.NETWORK_UNREACHABLE]: ['NETWORK_UNREACHABLE', 'TARGET'],
  [REPLIES.HOST_UNREACHABLE]: ['HOST_UNREACHABLE', 'TARGET'],
  [REPLIES.CONNECTION_REFUSED]: ['CONNECTION_REFUSED', 'TARGET'],
  6: ['TIMED_OUT', 'TARGET'],
  [REPLIES.ADDRESS_TYPE_NOT_SUPPORTED]: ['NETWORK_UNREACHABLE', 'UNSURE'],
};

type Command = 'CONNECT' | 'UDP_ASSOCIATE' | 'LOGIN';
type Stage = 'METHOD' | 'LOGIN' | 'REPLY';
type Read = { readonly message: UpstreamMove; readonly length: number } | undefined;

/**
 * A request of a client of a SOCKS5 proxy (RFC 1928), with username and password where the proxy asks for them
 * (RFC 1929): CONNECT, or UDP ASSOCIATE, of which address and port say where the datagrams will come from, or none,
 * when all is done after the login.
 */
export class SocksHandshake implements UpstreamHandshake {
  readonly hello: Uint8Array;
  readonly #request: UpstreamRequest;
  readonly #command: Command;
  #stage: Stage = 'METHOD';
  #bound: Target | undefined;

  constructor(request: UpstreamRequest, command: Command = 'CONNECT') {
    this.#request = request;
    this.#command = command;
    this.hello =
      request.login === undefined
        ? Uint8Array.of(VERSION, 1, NO_AUTHENTICATION)
        : Uint8Array.of(VERSION, 2, NO_AUTHENTICATION, PASSWORD);
  }

  read(bytes: Buffer): Read {
    if (this.#stage === 'METHOD') return this.#method(bytes);
    if (this.#stage === 'LOGIN') return this.#loggedIn(bytes);
    const read = reply(bytes);
    return read === undefined || this.#command === 'CONNECT' ? read : this.#associated(bytes, read);
  }

  /** Literal address and port to send datagrams to, once it is open and was asked for that. */
  get bound(): Pick<Target, 'host' | 'port'> | undefined {
    return this.#bound;
  }

  broken(why: 'TIMED_OUT' | 'CLOSED'): Setback {
    const asked = this.#stage === 'REPLY';
    const what = why === 'CLOSED' ? 'closed the connection' : 'did not answer';
    return {
      failure: asked && why === 'TIMED_OUT' ? 'TIMED_OUT' : 'HOST_UNREACHABLE',
      blame: asked ? 'UNSURE' : 'EXIT',
      detail: `SOCKS5: the upstream proxy ${what} ${asked ? 'when asked for the target' : 'during the login'}`,
    };
  }

  #method(bytes: Buffer): Read {
    const [version, method] = bytes;
    if (version === undefined) return undefined;
    if (version !== VERSION) return fault(`version ${version}`);
    if (method === undefined) return undefined;
    if (method === NO_AUTHENTICATION) return this.#ask(2);
    const { login } = this.#request;
    if (method !== PASSWORD || login === undefined) return fault(`it accepts no method of ours (${method})`);
    this.#stage = 'LOGIN';
    return { message: { kind: 'SEND', bytes: encodeLogin(login.username, login.password) }, length: 2 };
  }

  #loggedIn(bytes: Buffer): Read {
    const [version, status] = bytes;
    if (version === undefined) return undefined;
    if (version !== AUTH_VERSION) return fault(`login version ${version}`);
    if (status === undefined) return undefined;
    return status === 0 ? this.#ask(2) : fault('the login was refused');
  }

  #associated(bytes: Buffer, read: NonNullable<Read>): Read {
    const { message, length } = read;
    if (message.kind === 'FAIL' && length > 0) {
      // Many proxies relay no datagrams: that says nothing about their connections.
      return { message: { kind: 'FAIL', setback: { ...message.setback, blame: 'UNSURE' } }, length };
    }
    if (message.kind !== 'OPEN') return read;
    if (bytes[3] === DOMAIN) return fault('a name instead of an address for datagrams');
    this.#bound = decodeTarget(bytes, 3);
    return read;
  }

  #ask(length: number): Read {
    if (this.#command === 'LOGIN') return { message: { kind: 'OPEN' }, length };
    this.#stage = 'REPLY';
    return { message: { kind: 'SEND', bytes: encodeRequest(COMMANDS[this.#command], this.#request) }, length };
  }
}

/** RFC 1929, section 2. */
function encodeLogin(username: string, password: string): Uint8Array {
  const [user, secret] = [Buffer.from(username), Buffer.from(password)];
  return Buffer.concat([Buffer.of(AUTH_VERSION, user.length), user, Buffer.of(secret.length), secret]);
}

/** RFC 1928, section 4. */
function encodeRequest(command: number, { address, port }: UpstreamRequest): Uint8Array {
  return Uint8Array.of(VERSION, command, 0, ...encodePeer(address, port));
}

/** RFC 1928, section 6. The bound address is read over, and must be there. */
function reply(bytes: Buffer): Read {
  const [version, code, , type, first] = bytes;
  if (version === undefined) return undefined;
  if (version !== VERSION) return fault(`reply of version ${version}`);
  if (code === undefined) return undefined;
  if (code !== REPLIES.SUCCEEDED) {
    const [failure, blame] = FAILURES[code] ?? ['HOST_UNREACHABLE', 'EXIT'];
    return { message: { kind: 'FAIL', setback: { failure, blame, detail: `SOCKS5: reply ${code}` } }, length: 2 };
  }
  if (type === undefined || (type === DOMAIN && first === undefined)) return undefined;
  const size = { [IPV4]: 4, [IPV6]: 16, [DOMAIN]: 1 + (first ?? 0) }[type];
  if (size === undefined) return fault(`address type ${type}`);
  const length = 4 + size + 2;
  return bytes.length < length ? undefined : { message: { kind: 'OPEN' }, length };
}

function fault(what: string): Read {
  const setback: Setback = { failure: 'HOST_UNREACHABLE', blame: 'EXIT', detail: `SOCKS5: ${what}` };
  return { message: { kind: 'FAIL', setback }, length: 0 };
}

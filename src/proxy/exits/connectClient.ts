import { isIPv6 } from 'node:net';

import type { DialFailure } from '../relay/relay.ts';
import type { Blame, Setback } from './exit.ts';
import type { UpstreamHandshake, UpstreamMove, UpstreamRequest } from './upstream.ts';

/** Bytes of a response up to its blank line. */
const MAX_HEAD_BYTES = 8_192;
/** Interim responses (RFC 9110, section 15.2) that are read over. */
const MAX_INTERIM = 4;
const STATUS_LINE = /^HTTP\/1\.[01] ([1-5]\d\d)(?: [\t\x20-\x7e\x80-\xff]*)?$/;
const END = '\r\n\r\n';

/**
 * What a refusal says about target and exit. Proxies report targets they cannot reach with 5xx, so
 * those are held against the exit only when another one reaches the target; what is not listed is
 * no answer to a CONNECT of ours and the exit's fault, as 401, 405 and 407 are.
 */
const FAILURES: Readonly<Record<number, readonly [DialFailure, Blame]>> = {
  403: ['HOST_UNREACHABLE', 'UNSURE'],
  404: ['HOST_UNREACHABLE', 'TARGET'],
  410: ['HOST_UNREACHABLE', 'TARGET'],
  451: ['HOST_UNREACHABLE', 'UNSURE'],
  500: ['HOST_UNREACHABLE', 'UNSURE'],
  502: ['HOST_UNREACHABLE', 'UNSURE'],
  503: ['HOST_UNREACHABLE', 'UNSURE'],
  504: ['TIMED_OUT', 'UNSURE'],
};

/** CONNECT as a client of an HTTP proxy (RFC 9110, section 9.3.6), with Basic credentials (RFC 7617). */
export class ConnectHandshake implements UpstreamHandshake {
  readonly hello: Uint8Array;
  #interim = 0;

  constructor({ login, address, port }: UpstreamRequest) {
    const target = `${isIPv6(address) ? `[${address}]` : address}:${port}`;
    const lines = [`CONNECT ${target} HTTP/1.1`, `Host: ${target}`];
    if (login !== undefined) {
      const credentials = Buffer.from(`${login.username}:${login.password}`).toString('base64');
      lines.push(`Proxy-Authorization: Basic ${credentials}`);
    }
    this.hello = Buffer.from(lines.join('\r\n') + END, 'latin1');
  }

  /** A successful response has no content, whatever its headers say (RFC 9110, section 9.3.6). */
  read(bytes: Buffer): { readonly message: UpstreamMove; readonly length: number } | undefined {
    const end = bytes.subarray(0, MAX_HEAD_BYTES).indexOf(END);
    if (end < 0) {
      if (bytes.length >= MAX_HEAD_BYTES) return fault(`a response head of more than ${MAX_HEAD_BYTES} bytes`);
      return startsLikeHttp(bytes) ? undefined : fault('the answer is not HTTP');
    }
    const [line = ''] = bytes.toString('latin1', 0, end).split('\r\n', 1);
    const status = Number(STATUS_LINE.exec(line)?.[1] ?? 0);
    if (status === 0 || status === 101) return fault('the answer is not HTTP');
    const length = end + END.length;
    if (status < 200) {
      if (++this.#interim > MAX_INTERIM) return fault('too many interim responses');
      return { message: { kind: 'SEND', bytes: new Uint8Array() }, length };
    }
    if (status < 300) return { message: { kind: 'OPEN' }, length };
    const [failure, blame] = FAILURES[status] ?? ['HOST_UNREACHABLE', 'EXIT'];
    return { message: { kind: 'FAIL', setback: { failure, blame, detail: `HTTP: status ${status}` } }, length };
  }

  /** It has been asked for the target from the first byte on. */
  broken(why: 'TIMED_OUT' | 'CLOSED'): Setback {
    const what = why === 'CLOSED' ? 'closed the connection' : 'did not answer';
    return {
      failure: why === 'TIMED_OUT' ? 'TIMED_OUT' : 'HOST_UNREACHABLE',
      blame: 'UNSURE',
      detail: `HTTP: the upstream proxy ${what} when asked for the target`,
    };
  }
}

function startsLikeHttp(bytes: Buffer): boolean {
  const text = bytes.toString('latin1', 0, 5);
  return 'HTTP/'.startsWith(text);
}

function fault(what: string): { readonly message: UpstreamMove; readonly length: number } {
  const setback: Setback = { failure: 'HOST_UNREACHABLE', blame: 'EXIT', detail: `HTTP: ${what}` };
  return { message: { kind: 'FAIL', setback }, length: 0 };
}

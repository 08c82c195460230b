import { STATUS_CODES } from 'node:http';

import { CATALOGUE, type RefusalCode } from '../errors.ts';
import type { Answers, Refusal, TargetFailure } from './answers.ts';
import type { MalformedRequest } from './httpConnect.ts';

/** Seconds after which a client whose refusal names none may come again. */
const RETRY_SECONDS = 1;

/** Which error of RFC 9209, section 2.3, says the same. */
const PROXY_STATUS: Readonly<Partial<Record<RefusalCode, string>>> = {
  EGRESS_FORBIDDEN: 'destination_ip_prohibited',
  CONNECTION_LIMIT: 'connection_limit_reached',
  SERVICE_UNAVAILABLE: 'proxy_internal_error',
  EXIT_UNAVAILABLE: 'destination_unavailable',
};

const FAILURES: Readonly<
  Record<TargetFailure, { readonly status: number; readonly error: string; readonly message: string }>
> = {
  NETWORK_UNREACHABLE: { status: 502, error: 'destination_ip_unroutable', message: 'There is no route to the target.' },
  HOST_UNREACHABLE: { status: 502, error: 'destination_unavailable', message: 'The target cannot be reached.' },
  CONNECTION_REFUSED: { status: 502, error: 'connection_refused', message: 'The target refused the connection.' },
  TIMED_OUT: { status: 504, error: 'connection_timeout', message: 'The target did not answer in time.' },
  LOCAL_ADDRESS_MISSING: { status: 503, error: 'proxy_configuration_error', message: 'The exit has no address.' },
  ABANDONED: { status: 503, error: 'proxy_internal_error', message: 'The connection was given up.' },
  NO_SUCH_NAME: { status: 502, error: 'dns_error', message: 'The name of the target has no address.' },
  LOOKUP_FAILED: { status: 504, error: 'dns_timeout', message: 'The name servers failed or took too long.' },
};

/** Responses to CONNECT (RFC 9110, section 9.3.6). A refusal has the code and what to do in its body. */
export function httpAnswers(wantsJson: boolean): Answers {
  return {
    opened: () => OPENED,
    refused: (refusal) => refused(refusal, wantsJson),
    failed(failure) {
      const { status, error, message } = FAILURES[failure];
      return encode({ status, code: failure, error, message, wantsJson });
    },
  };
}

/** The answer to what is no CONNECT. */
export function malformedAnswer({ status, message }: MalformedRequest): Uint8Array {
  const headers = status === 405 ? ['Allow: CONNECT'] : [];
  const code = status === 405 ? 'METHOD_NOT_ALLOWED' : 'BAD_REQUEST';
  return encode({ status, code, error: 'http_request_error', message, wantsJson: false, headers });
}

const OPENED: Uint8Array = Buffer.from('HTTP/1.1 200 Connection established\r\n\r\n', 'latin1');

function refused({ code, message, retryAfterSeconds }: Refusal, wantsJson: boolean): Uint8Array {
  const status = CATALOGUE[code].connect;
  const headers: string[] = [];
  // RFC 9110, section 11.7.1. The user is the key: that it is a name and no password has to be said somewhere.
  if (status === 407) headers.push('Proxy-Authenticate: Basic realm="Passerelle", charset="UTF-8"');
  if (status === 429 || status === 503)
    headers.push(`Retry-After: ${Math.max(1, Math.ceil(retryAfterSeconds ?? RETRY_SECONDS))}`);
  const error = PROXY_STATUS[code] ?? 'http_request_denied';
  return encode({ status, code, error, message: message ?? CATALOGUE[code].message, wantsJson, headers });
}

interface Response {
  readonly status: number;
  readonly code: string;
  /** RFC 9209, section 2.3: browsers and curl hide the body of a refused CONNECT, and show headers. */
  readonly error: string;
  readonly message: string;
  readonly wantsJson: boolean;
  readonly headers?: readonly string[];
}

function encode({ status, code, error, message, wantsJson, headers = [] }: Response): Uint8Array {
  const body = wantsJson ? `${JSON.stringify({ code, message })}\n` : `${code}: ${message}\n`;
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`,
    `Proxy-Status: passerelle; error=${error}; details="${code}"`,
    ...headers,
    `Content-Type: ${wantsJson ? 'application/json' : 'text/plain; charset=utf-8'}`,
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Cache-Control: no-store',
    'Connection: close',
  ];
  return Buffer.from(`${head.join('\r\n')}\r\n\r\n${body}`);
}

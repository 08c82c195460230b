import { describe, expect, test } from 'vitest';

import { ConnectHandshake } from '../../../src/proxy/exits/connectClient.ts';
import { SocksHandshake } from '../../../src/proxy/exits/socksClient.ts';
import type { UpstreamHandshake, UpstreamRequest } from '../../../src/proxy/exits/upstream.ts';

const bytes = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');
const LOGIN = { username: 'user', password: 'secret' };
const PLAIN: UpstreamRequest = { login: undefined, address: '192.0.2.1', port: 443 };

interface Led {
  /** What it sent, in hexadecimal, the hello first. */
  readonly sent: string[];
  readonly end: string;
  /** Bytes behind the last message. */
  readonly rest: string;
}

/** Feeds the answers, in one piece or cut at a byte. */
function lead(handshake: UpstreamHandshake, answers: Buffer, cutAt = answers.length): Led {
  const sent = [Buffer.from(handshake.hello).toString('hex')];
  let received = 0;
  let taken = 0;
  for (const part of [answers.subarray(0, cutAt), answers.subarray(cutAt)]) {
    received += part.length;
    for (;;) {
      const read = handshake.read(answers.subarray(taken, received));
      if (read === undefined) break;
      taken += read.length;
      const { message } = read;
      if (message.kind === 'SEND') {
        if (message.bytes.length > 0) sent.push(Buffer.from(message.bytes).toString('hex'));
        continue;
      }
      if (message.kind === 'OPEN') return { sent, end: 'open', rest: answers.toString('latin1', taken) };
      const { failure, blame, detail } = message.setback;
      return { sent, end: `${failure} ${blame} ${detail}`, rest: '' };
    }
  }
  return { sent, end: 'incomplete', rest: answers.toString('latin1', taken) };
}

describe('SOCKS5, as a client', () => {
  const GREETING = '050100';
  const REQUEST = '05010001c000020101bb';
  const OPEN = '05000001 7f000001 0438';

  test('without a login', () => {
    const led = lead(new SocksHandshake(PLAIN), bytes(`0500 ${OPEN}`));
    expect(led).toEqual({ sent: [GREETING, REQUEST], end: 'open', rest: '' });
  });

  test('with a login, where it is asked for and where it is not', () => {
    const hello = '05020002';
    const asked = lead(new SocksHandshake({ ...PLAIN, login: LOGIN }), bytes(`0502 0100 ${OPEN}`));
    expect(asked).toEqual({ sent: [hello, '01047573657206736563726574', REQUEST], end: 'open', rest: '' });
    const free = lead(new SocksHandshake({ ...PLAIN, login: LOGIN }), bytes(`0500 ${OPEN}`));
    expect(free.sent).toEqual([hello, REQUEST]);
  });

  test('an IPv6 target, and bound addresses of every type', () => {
    const six = { ...PLAIN, address: '2001:db8::1' };
    for (const bound of ['01 7f000001', `04 ${'00'.repeat(16)}`, '03 03 616263', '03 00']) {
      const led = lead(new SocksHandshake(six), bytes(`0500 050000 ${bound} 0438`));
      expect(led).toEqual({
        sent: [GREETING, '0501000420010db800000000000000000000000101bb'],
        end: 'open',
        rest: '',
      });
    }
  });

  test('answers cut at every byte are the same, and what is behind them is the target’s', () => {
    const answers = Buffer.concat([bytes(`0502 0100 ${OPEN}`), Buffer.from('SSH-2.0')]);
    for (let cut = 0; cut <= answers.length; cut++) {
      const led = lead(new SocksHandshake({ ...PLAIN, login: LOGIN }), answers, cut);
      expect([led.end, led.rest, led.sent.length]).toEqual(['open', 'SSH-2.0', 3]);
    }
  });

  test.each([
    ['04', 'HOST_UNREACHABLE EXIT SOCKS5: version 4'],
    ['05ff', 'HOST_UNREACHABLE EXIT SOCKS5: it accepts no method of ours (255)'],
    ['0501', 'HOST_UNREACHABLE EXIT SOCKS5: it accepts no method of ours (1)'],
    ['0502 05', 'HOST_UNREACHABLE EXIT SOCKS5: login version 5'],
    ['0502 0101', 'HOST_UNREACHABLE EXIT SOCKS5: the login was refused'],
    ['0502 0100 04', 'HOST_UNREACHABLE EXIT SOCKS5: reply of version 4'],
    ['0502 0100 0501', 'HOST_UNREACHABLE UNSURE SOCKS5: reply 1'],
    ['0502 0100 0502', 'HOST_UNREACHABLE UNSURE SOCKS5: reply 2'],
    ['0502 0100 0503', 'NETWORK_UNREACHABLE TARGET SOCKS5: reply 3'],
    ['0502 0100 0504', 'HOST_UNREACHABLE TARGET SOCKS5: reply 4'],
    ['0502 0100 0505', 'CONNECTION_REFUSED TARGET SOCKS5: reply 5'],
    ['0502 0100 0506', 'TIMED_OUT TARGET SOCKS5: reply 6'],
    ['0502 0100 0507', 'HOST_UNREACHABLE EXIT SOCKS5: reply 7'],
    ['0502 0100 0508', 'NETWORK_UNREACHABLE UNSURE SOCKS5: reply 8'],
    ['0502 0100 0509', 'HOST_UNREACHABLE EXIT SOCKS5: reply 9'],
    ['0502 0100 05000009', 'HOST_UNREACHABLE EXIT SOCKS5: address type 9'],
  ])('%s', (answers, end) => {
    expect(lead(new SocksHandshake({ ...PLAIN, login: LOGIN }), bytes(answers)).end).toBe(end);
  });

  test('a method that needs the login there is none of', () => {
    expect(lead(new SocksHandshake(PLAIN), bytes('0502')).end).toContain('EXIT SOCKS5: it accepts no method of ours');
  });

  test('silence and an early end are its own fault until it was asked for the target', () => {
    const handshake = new SocksHandshake(PLAIN);
    expect([handshake.broken('CLOSED').blame, handshake.broken('TIMED_OUT').blame]).toEqual(['EXIT', 'EXIT']);
    lead(handshake, bytes('0500'));
    expect(handshake.broken('CLOSED')).toMatchObject({ blame: 'UNSURE', failure: 'HOST_UNREACHABLE' });
    expect(handshake.broken('TIMED_OUT')).toMatchObject({ blame: 'UNSURE', failure: 'TIMED_OUT' });
  });
});

describe('HTTP CONNECT, as a client', () => {
  const hello = (request: UpstreamRequest): string => Buffer.from(new ConnectHandshake(request).hello).toString();
  const end = (answer: string): string => lead(new ConnectHandshake(PLAIN), Buffer.from(answer, 'latin1')).end;

  test('the request', () => {
    expect(hello(PLAIN)).toBe('CONNECT 192.0.2.1:443 HTTP/1.1\r\nHost: 192.0.2.1:443\r\n\r\n');
    expect(hello({ login: { username: 'us er', password: 'pä:ss' }, address: '2001:db8::1', port: 80 })).toBe(
      `CONNECT [2001:db8::1]:80 HTTP/1.1\r\nHost: [2001:db8::1]:80\r\n` +
        `Proxy-Authorization: Basic ${Buffer.from('us er:pä:ss').toString('base64')}\r\n\r\n`,
    );
  });

  test('answers cut at every byte are the same, and what is behind them is the target’s', () => {
    const answers = Buffer.from(
      'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 3\r\nVia: x\r\n\r\nSSH-2.0\r\n\r\n',
    );
    for (let cut = 0; cut <= answers.length; cut++) {
      const led = lead(new ConnectHandshake(PLAIN), answers, cut);
      expect([led.end, led.rest]).toEqual(['open', 'SSH-2.0\r\n\r\n']);
    }
  });

  test.each([
    ['HTTP/1.0 200\r\n\r\n', 'open'],
    ['HTTP/1.1 204 \r\n\r\n', 'open'],
    ['HTTP/1.1 407 Proxy Authentication Required\r\n\r\n', 'HOST_UNREACHABLE EXIT HTTP: status 407'],
    ['HTTP/1.1 405 no\r\n\r\n', 'HOST_UNREACHABLE EXIT HTTP: status 405'],
    ['HTTP/1.1 302 Found\r\n\r\n', 'HOST_UNREACHABLE EXIT HTTP: status 302'],
    ['HTTP/1.1 403 Forbidden\r\n\r\n', 'HOST_UNREACHABLE UNSURE HTTP: status 403'],
    ['HTTP/1.1 404 x\r\n\r\n', 'HOST_UNREACHABLE TARGET HTTP: status 404'],
    ['HTTP/1.1 502 x\r\n\r\n', 'HOST_UNREACHABLE UNSURE HTTP: status 502'],
    ['HTTP/1.1 503 x\r\n\r\n', 'HOST_UNREACHABLE UNSURE HTTP: status 503'],
    ['HTTP/1.1 504 x\r\n\r\n', 'TIMED_OUT UNSURE HTTP: status 504'],
    ['HTTP/1.1 101 Switching\r\n\r\n', 'HOST_UNREACHABLE EXIT HTTP: the answer is not HTTP'],
    ['HTTP/2.0 200 OK\r\n\r\n', 'HOST_UNREACHABLE EXIT HTTP: the answer is not HTTP'],
    ['HTTP/1.1 99 no\r\n\r\n', 'HOST_UNREACHABLE EXIT HTTP: the answer is not HTTP'],
    ['HTTP/1.1 2000 OK\r\n\r\n', 'HOST_UNREACHABLE EXIT HTTP: the answer is not HTTP'],
    ['SSH-2.0', 'HOST_UNREACHABLE EXIT HTTP: the answer is not HTTP'],
    [
      `HTTP/1.1 200 OK\r\nX: ${'x'.repeat(8_192)}`,
      'HOST_UNREACHABLE EXIT HTTP: a response head of more than 8192 bytes',
    ],
    ['HTTP/1.1 100 Continue\r\n\r\n'.repeat(5), 'HOST_UNREACHABLE EXIT HTTP: too many interim responses'],
    ['HTTP/1.1 200 OK\r\n', 'incomplete'],
  ])('%j', (answer, outcome) => {
    expect(end(answer)).toBe(outcome);
  });

  test('silence and an early end may be the target’s', () => {
    const handshake = new ConnectHandshake(PLAIN);
    expect(handshake.broken('TIMED_OUT')).toMatchObject({ blame: 'UNSURE', failure: 'TIMED_OUT' });
    expect(handshake.broken('CLOSED')).toMatchObject({ blame: 'UNSURE', failure: 'HOST_UNREACHABLE' });
  });
});

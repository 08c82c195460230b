import assert from 'node:assert/strict';

import { ITEMS, requestFor, TITLES, type Caller, type HttpRequest, type Item, type Style } from './work.ts';

/** Where a contender listens and how it is asked. */
export interface Endpoint {
  readonly name: string;
  readonly port: number;
  readonly style: Style;
}

/** A bench that compares unequal work is worthless: contenders of one group must answer the same data. */
export async function compareAnswers(
  groups: readonly (readonly Endpoint[])[],
  callers: readonly Caller[],
): Promise<void> {
  for (const item of ITEMS) {
    for (const [turn, caller] of callers.entries()) {
      for (const [first, ...others] of groups) {
        if (first === undefined) continue;
        const expected = await answerOf(first, item, caller, turn);
        assert.ok(JSON.stringify(expected).length > ENOUGH[item], `${item} (${TITLES[item]}) answers too little`);
        for (const other of others) {
          const found = await answerOf(other, item, caller, turn);
          assert.deepEqual(found, expected, `${item}: ${other.name} answers other data than ${first.name}`);
        }
      }
    }
  }
  for (const endpoint of groups.flat()) await mustRefuse(endpoint, callers[0]!);
}

/** Characters that an answer with data has at least. */
const ENOUGH: Readonly<Record<Item, number>> = { Q1: 15, Q2: 1_500, Q3: 5_000, Q4: 2_500, M1: 100 };

async function answerOf({ port, style }: Endpoint, item: Item, caller: Caller, turn: number): Promise<unknown> {
  const response = await send(port, requestFor(item, style, caller, turn), caller.secret);
  const body = await response.text();
  assert.equal(response.status, 200, body);
  return JSON.parse(body, withoutLastUse) as unknown;
}

/** Only our server notes when a key was used, a moment later. */
function withoutLastUse(name: string, value: unknown): unknown {
  return name === 'last_used_at' ? null : value;
}

/** Everybody authenticates: an unknown key gets no data. */
async function mustRefuse({ name, port, style }: Endpoint, caller: Caller): Promise<void> {
  const response = await send(port, requestFor('Q1', style, caller, 0), `lpf_${'0'.repeat(32)}`);
  const body = await response.text();
  assert.doesNotMatch(body, /"remaining":"?\d/, `${name} answers an unknown key`);
}

function send(port: number, { method, path, body }: HttpRequest, secret: string): Promise<Response> {
  return fetch(`http://127.0.0.1:${port}${path}`, {
    method,
    headers: { authorization: `Bearer ${secret}`, ...(body !== undefined && { 'content-type': 'application/json' }) },
    ...(body !== undefined && { body }),
  });
}

/** The same request as text, for a keep-alive connection. */
export function requestText(port: number, { method, path, body }: HttpRequest, secret: string): string {
  const head = [
    `${method} ${path} HTTP/1.1`,
    `host: 127.0.0.1:${port}`,
    `authorization: Bearer ${secret}`,
    'accept: application/json',
    ...(body === undefined ? [] : ['content-type: application/json', `content-length: ${Buffer.byteLength(body)}`]),
  ];
  return `${head.join('\r\n')}\r\n\r\n${body ?? ''}`;
}

import { describe, expect, it } from 'vitest';

import type { Codec } from '../../rest-compat/codec.ts';
import { boolean, choice, day, flags, instant, list, nullable, text } from '../../rest-compat/codecs.ts';
import { bigint, credits, decimal, flag, integer, numericId } from '../../rest-compat/numbers.ts';
import { memberOf, parseJson } from '../../rest-compat/json.ts';
import { address, bytes, lines } from '../../rest-compat/wallets.ts';

const readFrom = <Value>(codec: Codec<Value>, json: string): Value | undefined => codec.read(parseJson(json));

/** JSON text of the dialect → GraphQL value → the same JSON text. */
function expectRoundTrip<Value>(codec: Codec<Value>, ...samples: string[]): void {
  for (const json of samples) {
    const value = readFrom(codec, json);
    expect(value, json).not.toBeUndefined();
    expect(codec.write(value as Value)).toBe(json);
  }
}

function expectRefused<Value>(codec: Codec<Value>, ...samples: string[]): void {
  for (const json of samples) expect(readFrom(codec, json), json).toBeUndefined();
}

describe('json', () => {
  it('keeps the text of numbers', () => {
    const json = parseJson('{"a":0.10,"b":12.345678901,"c":1e400,"d":-0,"e":9007199254740993}');
    const texts = ['a', 'b', 'c', 'd', 'e'].map((name) => memberOf(json, name));
    expect(texts).toEqual(['n0.10', 'n12.345678901', 'n1e400', 'n-0', 'n9007199254740993']);
  });

  it('reads names and strings as JSON.parse does', () => {
    const strings = ['', '"', '\\', 'n1', 's', '\u0001\u2028é😀', '1', '{"a":1}', '__proto__'];
    for (const value of strings) {
      expect(text.read(parseJson(JSON.stringify(value)))).toBe(value);
      expect(text.read(memberOf(parseJson(JSON.stringify({ [value]: 'x' })), value) ?? null)).toBe('x');
    }
    expect(memberOf(parseJson('{"__proto__":{"polluted":1}}'), 'toString')).toBeUndefined();
    expect(memberOf(parseJson('{"a":1,"a":2}'), 'a')).toBe('n2');
    expect(memberOf(parseJson('[1]'), '0')).toBeUndefined();
  });

  it('refuses what is no JSON', () => {
    for (const bad of [
      '',
      '{',
      '01',
      '1.',
      '.5',
      '+1',
      "{'a':1}",
      '{"a":1,}',
      '"\n"',
      'NaN',
      '{"a" 1}',
      '1 2',
      '[1"a"]',
    ])
      expect(() => parseJson(bad), bad).toThrow(SyntaxError);
  });

  it('takes time in proportion to the size, also for hostile text', () => {
    const started = performance.now();
    expect(() => parseJson('"' + '\\"'.repeat(130_000))).toThrow(SyntaxError);
    expect(() => parseJson('['.repeat(260_000))).toThrow(SyntaxError);
    parseJson(`"${'\\"'.repeat(130_000)}"`);
    parseJson(`[${'1,'.repeat(130_000)}1]`);
    expect(performance.now() - started).toBeLessThan(2_000);
  });
});

describe('credits', () => {
  it('round-trip digit by digit', () => {
    expectRoundTrip(credits, '0', '0.1', '12.345678901', '0.000000001', '-45', '9223372036.854775807', '87.5');
  });

  it('take every way to write a JSON number, exactly', () => {
    const ways = { '1.50': '1.5', '1e2': '100', '1E+2': '100', '1e-7': '0.0000001', '12.5e-1': '1.25', '0.0': '0' };
    const rare = { '1.0000000000': '1', '123456789e-9': '0.123456789', '0.0000000001e1': '0.000000001', '0e999': '0' };
    for (const [json, decimal] of Object.entries({ ...ways, ...rare })) expect(readFrom(credits, json)).toBe(decimal);
  });

  it('refuse more than 9 decimals, more than 64 bits, and what is no number', () => {
    expectRefused(credits, '0.0000000001', '1e-10', '12.3456789012', '9223372036.854775808', '1e10', '1e999');
    expectRefused(credits, '"1"', 'true', 'null', '[]', '{}', '1e99999', `1${'0'.repeat(70)}`);
  });
});

describe('other codecs', () => {
  it('round-trip', () => {
    expectRoundTrip(text, '"a\\"b"', '""', '"é"');
    expectRoundTrip(lines, '"a\\nb"', '""');
    expectRoundTrip(bytes, '"0x"', '"0x1b"');
    expectRoundTrip(address, '"0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A"');
    // What a text may hold is for the operation to say, here as in GraphQL.
    expectRoundTrip(text, '"\\u0000"', '"a\\ud800b"');
    expectRoundTrip(boolean, 'true', 'false');
    expectRoundTrip(flag, '1', '0');
    expectRoundTrip(integer(1, 90), '1', '90');
    expectRoundTrip(bigint, '9223372036854775807', '-1', '0');
    expectRoundTrip(numericId('ApiKey'), '1', '9223372036854775807');
    expectRoundTrip(instant, '"2026-03-28T12:00:00Z"');
    expectRoundTrip(day, '"2026-03-28"');
    expectRoundTrip(choice({ USER: 'user', ADMIN: 'admin' }), '"user"', '"admin"');
    expectRoundTrip(nullable(credits), 'null', '0.5');
    expectRoundTrip(list(text), '[]', '["a","b"]');
    expectRoundTrip(decimal, '0.8', '1', '0.000000001');
    expectRoundTrip(flags('low', 'daily'), '{}', '{"daily":false,"low":true}');
  });

  it('refuse what does not fit', () => {
    expectRefused(text, '1', 'null', '["a"]');
    expectRefused(boolean, '1', '"true"');
    expectRefused(flag, '2', 'true', '1.0');
    expectRefused(integer(1, 90), '1.5', '1e1', '"7"');
    expectRefused(numericId('ApiKey'), '-1', '"1"', '1.5');
    expectRefused(instant, '"2026-03-28"', '1');
    expectRefused(choice({ USER: 'user' }), '"USER"', '"__proto__"', '"toString"');
    expectRefused(list(text), '"a"', '["a",1]');
    expectRefused(decimal, '"0.8"', '0.0000000001', 'null');
    const events = flags('low', 'daily');
    expectRefused(events, '[]', 'true', '{"low":1}', '{"low":null}', '{"other":true}', '{"__proto__":true}');
    expect(events.readText('low')).toBeUndefined();
  });

  it('clamp integers', () => {
    const days = integer(1, 90);
    expect(['0', '-5', '91', '9'.repeat(30), '7'].map(days.readText)).toEqual([1, 1, 90, 90, 7]);
    const vast = '9'.repeat(5_000);
    expect([vast, `-${vast}`, `${'0'.repeat(50)}7`].map(days.readText)).toEqual([90, 1, 7]);
    expect(days.readText('1e9')).toBeUndefined();
    expect(['1.5', '', ' 7', '7a', '٧'].map(days.readText)).toEqual(Array(5).fill(undefined));
  });

  it('map numeric ids to global ids and back', () => {
    const id = numericId('ApiKey');
    expect(id.readText('12')).toBe(Buffer.from('ApiKey:12').toString('base64'));
    expect(id.readText('007')).toBe(id.readText('7'));
    expect(() => id.write(numericId('User').readText('1') ?? expect.fail())).toThrow(TypeError);
    // An id that cannot exist must look like one that does not.
    expect(id.readText('9'.repeat(20))).toBe(Buffer.from('ApiKey:0').toString('base64'));
  });

  it('write every text as JSON.stringify does', () => {
    for (let code = 0; code < 0x1_0000; code += 1) {
      const value = `a${String.fromCharCode(code)}b`;
      if (text.write(value) !== JSON.stringify(value)) expect.fail(`U+${code.toString(16)}`);
    }
    expect(text.write('😀 "é"')).toBe('"😀 \\"é\\""');
  });

  it('cut instants to whole seconds', () => {
    expect(instant.write('2026-03-28T12:00:00.123Z' as never)).toBe('"2026-03-28T12:00:00Z"');
  });
});

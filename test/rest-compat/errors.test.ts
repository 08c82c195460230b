import { describe, expect, it } from 'vitest';

import { lpf } from '../../rest-compat/dialects/lpf.ts';
import { TRANSPORT_CODES } from '../../rest-compat/errors.ts';
import { CATALOGUE, ERROR_CODES } from '../../src/errors.ts';

const texts = Object.entries(lpf.errors.texts).map(([code, { status, message }]) => ({ code, status, message }));

describe('the error texts of lpf', () => {
  it('are there for every code of the catalogue and of the transport, with its status', () => {
    expect(texts.map(({ code }) => code).toSorted()).toEqual([...ERROR_CODES, ...TRANSPORT_CODES].toSorted());
    for (const code of ERROR_CODES) expect(lpf.errors.texts[code].status, code).toBe(CATALOGUE[code].status);
  });

  it('have the status that HTTP gives what happens outside of operations', () => {
    expect(TRANSPORT_CODES.map((code) => [code, lpf.errors.texts[code].status])).toEqual([
      ['BAD_REQUEST', 400],
      ['ROUTE_NOT_FOUND', 404],
      ['METHOD_NOT_ALLOWED', 405],
      ['PAYLOAD_TOO_LARGE', 413],
      ['UNSUPPORTED_MEDIA_TYPE', 415],
    ]);
  });

  it.each(texts)('$code: says in French what is wrong, then what to do', ({ message }) => {
    const english = new Set<string>(Object.values(CATALOGUE).map((facts) => facts.message));
    expect(english.has(message)).toBe(false);
    expect(message).not.toMatch(/\b(?:the|is|not|your|please)\b/i);
    // « Corps illisible : envoyez … », « Route inconnue : voir … »
    expect(message).toMatch(/^\p{Lu}[^:;]+ [:;] .*(?:\p{Ll}ez\b|\bvoir\b).*[.]$/u);
  });

  it('are each said once', () => {
    expect(new Set(texts.map(({ message }) => message)).size).toBe(texts.length);
  });
});

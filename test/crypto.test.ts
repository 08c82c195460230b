import { expect, test } from 'vitest';

import { deriveKeys, lookupHash, newApiKeySecret, seal, unseal } from '../src/crypto.ts';

const keys = deriveKeys(Buffer.alloc(32, 1));

test('keys of different purposes and masters differ', () => {
  const other = deriveKeys(Buffer.alloc(32, 2));
  const all = [keys.lookup, keys.recovery, keys.sessions, other.lookup, other.recovery, other.sessions];
  expect(new Set(all.map((key) => key.toString('hex'))).size).toBe(6);
});

test('an API key secret is lpf_ and 32 hexadecimal digits, never the same twice', () => {
  const secrets = Array.from({ length: 100 }, newApiKeySecret);
  for (const secret of secrets) expect(secret).toMatch(/^lpf_[0-9a-f]{32}$/);
  expect(new Set(secrets).size).toBe(100);
});

test('a lookup hash depends on the master key', () => {
  const other = deriveKeys(Buffer.alloc(32, 2));
  expect(lookupHash(keys, 'a')).toEqual(lookupHash(keys, 'a'));
  expect(lookupHash(keys, 'a')).not.toEqual(lookupHash(other, 'a'));
});

test('a sealed text opens only unchanged, under its key and context', () => {
  const sealed = seal(keys.recovery, 'secret', 'key:1');
  expect(unseal(keys.recovery, sealed, 'key:1')).toBe('secret');
  expect(sealed.includes('secret')).toBe(false);
  expect(() => unseal(keys.recovery, sealed, 'key:2')).toThrow();
  expect(() => unseal(keys.lookup, sealed, 'key:1')).toThrow();
  for (let at = 0; at < sealed.length; at += 1) {
    const changed = Buffer.from(sealed);
    changed[at] = (changed[at] ?? 0) ^ 1;
    expect(() => unseal(keys.recovery, changed, 'key:1')).toThrow();
  }
});

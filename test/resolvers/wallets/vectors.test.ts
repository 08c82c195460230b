import { describe, expect, test } from 'vitest';

import { parseAddress } from '../../../src/resolvers/wallets/address.ts';
import { parseMessage, requireOwnMessage } from '../../../src/resolvers/wallets/message.ts';
import vectors from './vectors.json' with { type: 'json' };

const site = { publicUrl: () => vectors.site, now: () => new Date(vectors.now) };
const wallet = await parseAddress(vectors.address);

test('the names of vectors differ', () => {
  const names = [...vectors.wellFormed, ...vectors.malformed, ...vectors.foreign].map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
  expect(vectors.malformed.length).toBeGreaterThan(100);
});

describe('well-formed', () => {
  test.each(vectors.wellFormed)('$name', async ({ message, fields }) => {
    expect(await parseMessage(message)).toMatchObject(fields);
  });
});

describe('malformed', () => {
  test.each(vectors.malformed)('$name ($rule)', async ({ message }) => {
    await expect(parseMessage(message)).rejects.toMatchObject({ code: 'BAD_INPUT', field: 'message' });
    await expect(requireOwnMessage(site, message, wallet)).rejects.toMatchObject({ code: 'BAD_INPUT' });
  });
});

describe('well-formed, but not ours or not of now', () => {
  test.each(vectors.foreign)('$name', async ({ message }) => {
    await parseMessage(message);
    await expect(requireOwnMessage(site, message, wallet)).rejects.toMatchObject({ code: 'INVALID_CHALLENGE' });
  });
  test('while the first vector is', async () => {
    const [ours] = vectors.wellFormed;
    expect(await requireOwnMessage(site, ours?.message ?? '', wallet)).toMatchObject(ours?.fields ?? {});
  });
});

import { expect, test } from 'vitest';

import { CHAINS } from '../../../rest-compat/dialects/lpf/deposits.ts';
import { DEPOSIT_CHAINS, submitDeposit } from '../../../src/resolvers/deposits/submitDeposit.ts';
import { sessionOf } from '../../harness/context.ts';

const HASH = `0x${'c4'.repeat(32)}`;

function submit(change: Partial<Parameters<typeof submitDeposit>[1]>, permissions: string[] = []): Promise<unknown> {
  const viewer = { ...sessionOf({ id: 1n, role: 'USER' }), permissions };
  return submitDeposit({ viewer }, { txHash: HASH, currency: 'USDT', chainId: 1, ...change });
}

test('a good deposit waits for the version that takes them', async () => {
  for (const chainId of [1, 137, 56, 8453, 43_114])
    await expect(submit({ chainId })).rejects.toMatchObject({ code: 'NOT_IMPLEMENTED', status: 501 });
  await expect(submit({ currency: 'ETH', txHash: HASH.toUpperCase().replace('0X', '0x') })).rejects.toMatchObject({
    code: 'NOT_IMPLEMENTED',
  });
});

test('lpf documents the chains there are', () => {
  expect(CHAINS).toBe(DEPOSIT_CHAINS.map(({ id, name }) => `${id}=${name}`).join(', '));
});

test('the test network needs the permission', async () => {
  await expect(submit({ chainId: 560_048 })).rejects.toMatchObject({ code: 'FORBIDDEN', status: 403 });
  await expect(submit({ chainId: 560_048 }, ['app.testnet'])).rejects.toMatchObject({ code: 'NOT_IMPLEMENTED' });
});

test.each([0, -1, 5, 11_155_111])('there is no chain %d', async (chainId) => {
  await expect(submit({ chainId })).rejects.toMatchObject({ code: 'BAD_INPUT', field: 'chainId' });
});

test.each(['', 'example', 'c4'.repeat(32), HASH.slice(0, -1), `${HASH}0`, HASH.replace('c', 'g'), ` ${HASH}`])(
  '“%s” is no hash',
  async (txHash) => {
    await expect(submit({ txHash })).rejects.toMatchObject({ code: 'BAD_INPUT', field: 'txHash' });
  },
);

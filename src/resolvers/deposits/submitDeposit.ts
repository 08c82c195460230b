import type { ViewerContext } from '../../context.ts';
import { AppError } from '../../errors.ts';

/** A payment that a customer says it has made. */
export interface DepositInput {
  /** `0x` and 64 hexadecimal digits, in any case. */
  readonly txHash: string;
  readonly currency: 'USDT' | 'ETH';
  readonly chainId: number;
}

/** Where a submitted deposit stands. */
export interface SubmittedDeposit {
  readonly status: 'PENDING' | 'CONFIRMED' | 'FAILED';
}

/** Chains of deposits, and the permission that one of them needs. */
export const DEPOSIT_CHAINS: readonly { readonly id: number; readonly name: string; readonly permission?: string }[] = [
  { id: 1, name: 'Ethereum' },
  { id: 137, name: 'Polygon' },
  { id: 56, name: 'BSC' },
  { id: 8453, name: 'Base' },
  { id: 43114, name: 'Avalanche' },
  { id: 560048, name: 'Hoodi', permission: 'app.testnet' },
];

const TX_HASH = /^0x[0-9a-f]{64}$/;

/**
 * Tells of a payment on a chain, whose amount is then read there. This version does not take deposits yet.
 * @throws AppError BAD_INPUT for what is no transaction hash and for other chains; FORBIDDEN for the test network
 *   without the permission; else NOT_IMPLEMENTED
 */
export async function submitDeposit(
  { viewer }: Pick<ViewerContext, 'viewer'>,
  { txHash, chainId }: DepositInput,
): Promise<SubmittedDeposit> {
  if (!TX_HASH.test(txHash.toLowerCase())) {
    const message = 'txHash: must be 0x and 64 hexadecimal digits';
    throw new AppError('BAD_INPUT', { message, field: 'txHash' });
  }
  const chain = DEPOSIT_CHAINS.find(({ id }) => id === chainId);
  if (chain === undefined) {
    const known = DEPOSIT_CHAINS.map(({ id, name }) => `${id} (${name})`).join(', ');
    throw new AppError('BAD_INPUT', { message: `chainId: must be one of ${known}`, field: 'chainId' });
  }
  if (chain.permission !== undefined && !viewer.permissions.includes(chain.permission)) {
    throw new AppError('FORBIDDEN', { message: `Deposits on ${chain.name} need the permission ${chain.permission}.` });
  }
  throw new AppError('NOT_IMPLEMENTED');
}

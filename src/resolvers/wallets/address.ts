import type { Address } from 'viem';

import { AppError } from '../../errors.ts';

/** An Ethereum address, in the two ways it is written. */
export interface WalletAddress {
  /** Lower case: as it is stored and compared. */
  readonly stored: string;
  /** With the capitals that are its checksum (EIP-55): as messages name it. */
  readonly checksummed: Address;
}

const ADDRESS = /^0x[0-9a-fA-F]{40}$/;
const ONE_CASE = /^0x(?:[0-9a-f]+|[0-9A-F]+)$/;

/**
 * Reads an address: in one case, or in both with the right checksum, so that a slip of the pen is no other wallet.
 * @throws AppError BAD_INPUT
 */
export async function parseAddress(text: string): Promise<WalletAddress> {
  if (!ADDRESS.test(text)) throw badAddress('must be an Ethereum address: 0x and 40 hexadecimal digits');
  // Loaded when first needed: it takes as long as the rest of a start.
  const { getAddress } = await import('viem/utils');
  const stored = text.toLowerCase();
  const checksummed = getAddress(stored);
  if (text !== checksummed && !ONE_CASE.test(text)) throw badAddress('has a wrong checksum (EIP-55)');
  return { stored, checksummed };
}

function badAddress(fault: string): AppError {
  return new AppError('BAD_INPUT', { message: `address: ${fault}`, field: 'address' });
}

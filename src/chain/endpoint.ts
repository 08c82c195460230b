import type { Hex, PublicClient, Transport } from 'viem';

import type { SignedText } from '../context.ts';
import { AppError } from '../errors.ts';

/** Longest wait for one answer. Nothing is asked twice: who signs in can. */
const RPC_TIMEOUT_MS = 5_000;

/** The RPC endpoint of one chain. */
export interface Endpoint {
  /**
   * Whether the contract at the address, deployed (EIP-1271) or described by the signature (ERC-6492), says that the
   * signature is its own. Nothing is written to the chain.
   * @param signal ends the wait before its time
   * @throws AppError UNAVAILABLE when the endpoint did not answer, or is one of another chain
   */
  accepts(signed: SignedText, signal?: AbortSignal): Promise<boolean>;
}

/** @param chainId what the endpoint must say it is */
export function createEndpoint(chainId: bigint, url: string): Endpoint {
  let confirmed = false;
  /** An answer of another chain would let its wallets speak for addresses of this one. */
  const confirm = async (client: PublicClient): Promise<void> => {
    if (confirmed) return;
    const found = await client.getChainId();
    if (BigInt(found) !== chainId) throw new Error(`the RPC of chain ${chainId} is one of chain ${found}`);
    confirmed = true;
  };
  return {
    async accepts({ address, message, signature }, signal) {
      const { createPublicClient, http } = await import('viem');
      const failures: unknown[] = [];
      const fetchOptions = signal === undefined ? {} : { signal };
      const transport = http(url, { timeout: RPC_TIMEOUT_MS, retryCount: 0, fetchOptions });
      const client = createPublicClient({ transport: noting(transport, (error) => failures.push(error)) });
      try {
        await confirm(client);
        const question = { address: address as Hex, message, signature: signature as Hex };
        if (await client.verifyMessage(question)) return true;
      } catch (cause) {
        throw unavailable(chainId, cause);
      }
      // viem says false as well when nobody answered.
      const outage = failures.find((error) => !isVerdict(error));
      if (outage !== undefined) throw unavailable(chainId, outage);
      return false;
    },
  };
}

/** The messages of viem name the endpoint, whose address may hold a key; its short ones do not. */
function unavailable(chainId: bigint, error: unknown): AppError {
  const reason = error instanceof Error && 'shortMessage' in error ? String(error.shortMessage) : String(error);
  return new AppError('UNAVAILABLE', { cause: new Error(`the RPC of chain ${chainId}: ${reason}`) });
}

/** The same transport; `note` hears of every request that fails or has no result. */
function noting(transport: Transport, note: (error: unknown) => void): Transport {
  return (parameters) => {
    const inner = transport(parameters);
    const request = async (...args: Parameters<typeof inner.request>): Promise<unknown> => {
      try {
        const result: unknown = await inner.request(...args);
        // The code that asks the wallet answers one byte: where there is none, it was not run.
        if (result === '0x') note(new Error('the call was not run'));
        return result;
      } catch (error) {
        note(error);
        throw error;
      }
    };
    return { ...inner, request: request as typeof inner.request };
  };
}

/** Of a node that ran the call: the contract failed. Code 3 is a revert (EIP-1474 leaves others to the words). */
const EXECUTION_REVERTED = 3;
const EXECUTION_FAILED = /revert|out ?of ?gas|invalid ?(?:fe ?)?opcode|stack ?(?:under|over)flow|invalid jump/i;

/** Whether the node answered that the contract failed, rather than not at all or that it could not run it. */
function isVerdict(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (!('code' in cause) || !('details' in cause) || cause.name !== 'RpcRequestError') continue;
    return cause.code === EXECUTION_REVERTED || EXECUTION_FAILED.test(String(cause.details));
  }
  return false;
}

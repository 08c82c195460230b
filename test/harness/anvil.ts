import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import os from 'node:os';

import {
  createPublicClient,
  createWalletClient,
  encodeFunctionData,
  http,
  serializeErc6492Signature,
  type Abi,
  type Address,
  type Hex,
} from 'viem';
import { mnemonicToAccount } from 'viem/accounts';

import artifacts from './contracts/artifacts.json' with { type: 'json' };

const START_TIMEOUT_MS = 30_000;

/**
 * The node itself, an optional dependency: of its packages for other platforms not all are to be had everywhere, and
 * with one missing `npm ci` fails. undefined where it is not installed.
 */
const BINARY = binary();
export const hasAnvil = BINARY !== undefined;

function binary(): string | undefined {
  try {
    return createRequire(import.meta.url).resolve('@foundry-rs/anvil-linux-amd64/bin/anvil');
  } catch {
    return undefined;
  }
}

export type ContractName = keyof typeof artifacts.contracts;

/** A local Ethereum node, with contracts of ours on it. */
export interface TestChain extends AsyncDisposable {
  readonly chainId: bigint;
  readonly url: string;
  /** @returns the address of the contract, once it is there */
  deploy(name: ContractName, ...args: unknown[]): Promise<Address>;
  /** Calls a function that changes something, and waits until it has. */
  send(name: ContractName, address: Address, functionName: string, ...args: unknown[]): Promise<void>;
  read<Value>(name: ContractName, address: Address, functionName: string, ...args: unknown[]): Promise<Value>;
  hasCode(address: Address): Promise<boolean>;
}

/** Starts anvil on a free port of 127.0.0.1. @throws when it does not listen in time */
export async function startChain(chainId: bigint): Promise<TestChain> {
  const args = ['--host', '127.0.0.1', '--port', '0', '--chain-id', String(chainId), '--accounts', '1'];
  const child = spawn(BINARY ?? 'anvil', args, { stdio: ['ignore', 'pipe', 'ignore'], env: { HOME: os.tmpdir() } });
  const ended = once(child, 'close');
  const endWithUs = (): void => void child.kill('SIGKILL');
  process.once('exit', endWithUs);
  const stop = async (): Promise<void> => {
    process.off('exit', endWithUs);
    child.kill('SIGKILL');
    await ended;
  };
  const timer = setTimeout(endWithUs, START_TIMEOUT_MS);
  const url = await new Promise<string>((resolve, reject) => {
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output = (output + text).slice(-10_000);
      const [, address] = /Listening on (127\.0\.0\.1:\d+)/.exec(output) ?? [];
      if (address !== undefined) resolve(`http://${address}`);
    });
    void ended.then(() => reject(new Error(`anvil ended before it listened:\n${output}`)));
  }).finally(() => clearTimeout(timer));
  return { ...clientOf(chainId, url), [Symbol.asyncDispose]: stop };
}

function clientOf(chainId: bigint, url: string): Omit<TestChain, typeof Symbol.asyncDispose> {
  const transport = http(url, { retryCount: 0 });
  const reader = createPublicClient({ transport, pollingInterval: 20 });
  // The first of the accounts that every anvil gives money to.
  const account = mnemonicToAccount('test test test test test test test test test test test junk');
  const writer = createWalletClient({ transport, account });
  const mined = (hash: Hex) => reader.waitForTransactionReceipt({ hash });
  return {
    chainId,
    url,
    async deploy(name, ...args) {
      const { abi, bytecode } = contract(name);
      const { contractAddress } = await mined(await writer.deployContract({ abi, bytecode, args, chain: null }));
      if (contractAddress === null || contractAddress === undefined) throw new Error(`${name} was not deployed`);
      return contractAddress;
    },
    async send(name, address, functionName, ...args) {
      const { status } = await mined(
        await writer.writeContract({ abi: contract(name).abi, address, functionName, args, chain: null }),
      );
      if (status !== 'success') throw new Error(`${name}.${functionName} failed`);
    },
    async read<Value>(name: ContractName, address: Address, functionName: string, ...args: unknown[]) {
      return (await reader.readContract({ abi: contract(name).abi, address, functionName, args })) as Value;
    },
    hasCode: async (address) => (await reader.getCode({ address })) !== undefined,
  };
}

function contract(name: ContractName): { readonly abi: Abi; readonly bytecode: Hex } {
  const { abi, bytecode } = artifacts.contracts[name];
  return { abi: abi as unknown as Abi, bytecode: bytecode as Hex };
}

/** A signature that says how its wallet would come into being (ERC-6492): by this call of a factory. */
export function counterfactual(
  factory: { readonly name: ContractName; readonly address: Address; readonly args: readonly unknown[] },
  signature: Hex,
): Hex {
  const { abi } = contract(factory.name);
  const data = encodeFunctionData({ abi, functionName: 'create', args: factory.args });
  return serializeErc6492Signature({ address: factory.address, data, signature });
}

// Compiles the contracts that the tests deploy: what stands beside the source is committed, so that tests need no compiler.
//   node scripts/contracts.mjs
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import { format, resolveConfig } from 'prettier';
import solc from 'solc';

const folder = path.join(import.meta.dirname, '../test/harness/contracts');
const name = 'Wallets.sol';
const content = readFileSync(path.join(folder, name), 'utf8');

const output = JSON.parse(
  solc.compile(
    JSON.stringify({
      language: 'Solidity',
      sources: { [name]: { content } },
      settings: {
        optimizer: { enabled: true, runs: 200 },
        evmVersion: 'paris',
        metadata: { appendCBOR: false },
        outputSelection: { '*': { '*': ['abi', 'evm.bytecode.object'] } },
      },
    }),
  ),
);
const faults = (output.errors ?? []).filter(({ severity }) => severity === 'error');
if (faults.length > 0) throw new Error(faults.map(({ formattedMessage }) => formattedMessage).join('\n'));

const contracts = Object.fromEntries(
  Object.entries(output.contracts[name]).map(([contract, { abi, evm }]) => [
    contract,
    { abi, bytecode: `0x${evm.bytecode.object}` },
  ]),
);
const file = path.join(folder, 'artifacts.json');
const artifacts = { source: createHash('sha256').update(content).digest('hex'), compiler: solc.version(), contracts };
const options = await resolveConfig(file);
writeFileSync(file, await format(JSON.stringify(artifacts), { ...options, filepath: file }));
console.log(`wrote ${Object.keys(contracts).join(', ')}`);

import { cpus } from 'node:os';

import { createCellTable } from '../../src/metering/cells.ts';
import type { Connection } from '../../src/metering/connection.ts';
import { KeyMeter, type MeterHost } from '../../src/metering/meter.ts';

/**
 * Cost of `spend`, the one metering call on the way of every chunk: `--rounds N`.
 * No ledger: the lease is large enough for the whole run.
 */
const ROUNDS = Number(process.argv[process.argv.indexOf('--rounds') + 1]) || 7;
const CALLS = 5_000_000;
const CHUNK_BYTES = 65_536;
/** Nano-credits; enough for all calls of a round. */
const LEASE = 2 ** 50;
const HOUR = Date.UTC(2026, 0, 1);

function bench(connectionCount: number): number[] {
  const host: MeterHost = {
    cells: createCellTable((bytes) => new SharedArrayBuffer(bytes)),
    now: () => 0,
    hour: () => HOUR,
    mayForward: () => true,
    touched: () => undefined,
    hurry: () => undefined,
  };
  const samples: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const meter = new KeyMeter(host, 1n, 1n, { seq: 0n, reserved: LEASE });
    const connections = Array.from({ length: connectionCount }, () => meter.open('SHARED'));
    const start = process.hrtime.bigint();
    const spent = spendAll(connections);
    const nanoseconds = Number(process.hrtime.bigint() - start);
    if (spent !== CALLS * CHUNK_BYTES) throw new Error(`${spent} bytes were spent`);
    if (meter.drain() !== spent * 3) throw new Error('the tally does not add up');
    for (const connection of connections) connection.close();
    samples.push(nanoseconds / CALLS);
  }
  return samples.sort((a, b) => a - b);
}

function spendAll(connections: readonly Connection[]): number {
  let spent = 0;
  for (let call = 0; call < CALLS; call += connections.length) {
    for (const connection of connections) spent += connection.spend('down', CHUNK_BYTES);
  }
  return spent;
}

console.log(
  `spend(${CHUNK_BYTES} bytes), ${CALLS} calls × ${ROUNDS} rounds; ${cpus()[0]?.model}, Node ${process.version}`,
);
for (const connections of [1, 100, 10_000]) {
  const samples = bench(connections);
  const median = samples[Math.floor(samples.length / 2)] ?? 0;
  const [least = 0] = samples;
  console.log(
    `${String(connections).padStart(6)} connections: ${median.toFixed(1)} ns per call (${least.toFixed(1)}–${(samples.at(-1) ?? 0).toFixed(1)})`,
  );
}

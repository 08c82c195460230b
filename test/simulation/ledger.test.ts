import { expect, test } from 'vitest';

import { openTestDatabase } from '../harness/database.ts';
import { simulate } from './simulation.ts';
import { DENSE, SPARSE } from './world.ts';

const steps = Number(process.env['SIMULATION_STEPS'] ?? 2_000);
const seed = Number(process.env['SIMULATION_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
/** Ample: about 20 ms per step on the embedded database of a busy machine. */
const TIMEOUT_MS = 60_000 + steps * 100;

// Half of the steps with many accounts, half with few keys that all share accounts and instances.
test.each([SPARSE, DENSE])(
  'every invariant holds after every step: $name',
  async (shape) => {
    await using db = await openTestDatabase();
    console.log(`${shape.name} simulation on the ${db.kind} database: SIMULATION_SEED=${seed}`);
    const world = await simulate(db, { seed, steps: Math.ceil(steps / 2), shape });
    expect(world.forwarded.size).toBeGreaterThan(0);
  },
  TIMEOUT_MS,
);

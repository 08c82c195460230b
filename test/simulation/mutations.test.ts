import path from 'node:path';

import { afterAll, beforeAll, expect, test } from 'vitest';

import { readMigrations, splitStatements } from '../../src/database/migrate.ts';
import type { Sql } from '../../src/database/sql.ts';
import { openTestDatabase, type TestDatabase } from '../harness/database.ts';
import { BrokenPromise } from './failure.ts';
import { MUTATIONS, type Mutation } from './mutations.ts';
import { simulate } from './simulation.ts';
import { DENSE } from './world.ts';

/** Fixed, so that a mutation which is found once is found always. */
const SEEDS = [1, 2, 3, 4, 5, 6];
const STEPS = 250;

let db: TestDatabase;
let functions: readonly string[];
beforeAll(async () => {
  db = await openTestDatabase();
  const migrations = await readMigrations(path.join(import.meta.dirname, '../../prisma/migrations'));
  functions = migrations.flatMap(({ text }) => splitStatements(text)).filter((text) => /^CREATE FUNCTION/i.test(text));
});
afterAll(() => db.close());

/** Ends the transaction in which a mutation lived. */
class Undo extends Error {}

async function survives(mutation: Mutation, seed: number): Promise<boolean> {
  let survived = false;
  const run = async (tx: Sql): Promise<void> => {
    await tx.query({ name: '', text: mutated(mutation) });
    try {
      await simulate(tx, { seed, steps: STEPS, shape: DENSE });
      survived = true;
    } catch (error) {
      if (!(error instanceof BrokenPromise)) throw error;
    }
    throw new Undo();
  };
  await db.transaction(run).catch((error: unknown) => {
    if (!(error instanceof Undo)) throw error;
  });
  return survived;
}

function mutated({ function: name, edits }: Mutation): string {
  const original = functions.find((text) => text.startsWith(`CREATE FUNCTION ${name}(`));
  if (original === undefined) throw new Error(`there is no function ${name}`);
  return edits
    .reduce((text, [from, to]) => {
      if (!text.includes(from)) throw new Error(`${name} does not contain: ${from}`);
      return text.replace(from, () => to);
    }, original)
    .replace('CREATE FUNCTION', 'CREATE OR REPLACE FUNCTION');
}

test.each(MUTATIONS)(
  'the simulation finds: $name',
  async (mutation) => {
    for (const seed of SEEDS) if (!(await survives(mutation, seed))) return;
    expect.fail(`survived ${SEEDS.length} runs of ${STEPS} steps`);
  },
  180_000,
);

/** Prints the schema into schema.graphql; with --check only tells whether the file is current. */
import { readFile, writeFile } from 'node:fs/promises';

import { lexicographicSortSchema, printSchema } from 'graphql';

import { schema } from '../src/schema/index.ts';

const file = new URL('../schema.graphql', import.meta.url);
const printed = `${printSchema(lexicographicSortSchema(schema))}\n`;

if (process.argv.includes('--check')) {
  const committed = await readFile(file, 'utf8').catch(() => '');
  if (committed !== printed) {
    process.stderr.write('schema.graphql is not current: run `npx tsx scripts/print-schema.ts`\n');
    process.exitCode = 1;
  }
} else {
  await writeFile(file, printed);
}

import { linkSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';

import { afterEach, beforeEach, expect, test } from 'vitest';

import { DataDirectoryInUse, lockDataDirectory } from '../../src/database/lock.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'passerelle-lock-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

test('of many that want a folder at once exactly one gets it', async () => {
  const results = await Promise.allSettled(Array.from({ length: 20 }, () => lockDataDirectory(folder)));
  const won = results.filter((result) => result.status === 'fulfilled');
  expect(won).toHaveLength(1);
  for (const result of results) {
    if (result.status === 'rejected') expect(result.reason).toBeInstanceOf(DataDirectoryInUse);
  }
  await won[0]?.value();
  expect(readdirSync(folder)).toEqual(['lock.1']);
});

test('a lock given back can be taken again', async () => {
  const release = await lockDataDirectory(folder);
  await expect(lockDataDirectory(folder)).rejects.toThrow(/in use by another running server/);
  await release();
  await (
    await lockDataDirectory(folder)
  )();
});

test('the socket of a process that died is no lock', async () => {
  // Closing a server unlinks its path, a killed process leaves it; a second name survives the close.
  const dead = net.createServer();
  await new Promise<void>((resolve) => dead.listen(path.join(folder, 'dead'), resolve));
  linkSync(path.join(folder, 'dead'), path.join(folder, 'lock.7'));
  await new Promise((resolve) => dead.close(resolve));
  const results = await Promise.allSettled(Array.from({ length: 10 }, () => lockDataDirectory(folder)));
  const won = results.filter((result) => result.status === 'fulfilled');
  expect(won).toHaveLength(1);
  await won[0]?.value();
  expect(readdirSync(folder).filter((name) => name.startsWith('lock'))).toEqual(['lock.8']);
});

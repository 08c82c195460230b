import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import { ConfigError } from './config.ts';

const MASTER_KEY_BYTES = 32;

/**
 * The master key of an embedded installation: kept in the data folder, readable by its owner
 * alone, made at the first start. All other keys derive from it, so without it no API key of
 * the database works.
 * @throws ConfigError when the file does not hold 32 bytes in base64
 */
export function loadMasterKey(dataDir: string): Buffer {
  const file = path.join(dataDir, 'master.key');
  mkdirSync(dataDir, { recursive: true });
  try {
    // `wx` fails when the file is there: a key is never overwritten.
    writeFileSync(file, `${randomBytes(MASTER_KEY_BYTES).toString('base64')}\n`, { flag: 'wx', mode: 0o600 });
    chmodSync(file, 0o600);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  }
  const key = Buffer.from(readFileSync(file, 'utf8').trim(), 'base64');
  if (key.length !== MASTER_KEY_BYTES) throw new ConfigError(`${file} must hold 32 bytes in base64`);
  return key;
}

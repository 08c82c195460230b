import { start, type App } from './app.ts';
import { ConfigError, parseConfig } from './config.ts';
import { DataDirectoryInUse } from './database/lock.ts';

/** A drain that takes longer than this ends the process at once. */
const DRAIN_LIMIT_MS = 15_000;

let app: App | undefined;
let signalled = false;

/** The first signal drains, also one that comes while the server still starts; the second ends the process at once. */
function onSignal(): void {
  if (signalled) process.exit(1);
  signalled = true;
  setTimeout(() => process.exit(1), DRAIN_LIMIT_MS).unref();
  if (app !== undefined) void drain(app);
}

async function drain(running: App): Promise<void> {
  try {
    await running.stop();
    process.exit(0);
  } catch (error) {
    fail(error);
  }
}

function fail(error: unknown): never {
  const expected = error instanceof ConfigError || error instanceof DataDirectoryInUse;
  const text = error instanceof Error ? (expected ? error.message : error.stack) : String(error);
  process.stderr.write(`${text}\n`);
  process.exit(1);
}

process.on('SIGTERM', onSignal);
process.on('SIGINT', onSignal);
try {
  app = await start(parseConfig(process.env), (text) => process.stdout.write(`${text}\n`));
  if (signalled) await drain(app);
} catch (error) {
  fail(error);
}

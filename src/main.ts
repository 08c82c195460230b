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
  process.stderr.write(`${explain(error)}\n`);
  process.exit(1);
}

/** SQLSTATE: wrong user or password, no such database. */
const REFUSED = /^(?:28|3D)\w{3}$/;

/** What the operator can mend is said in a sentence; a fault of the program shows where it happened. */
function explain(error: unknown): string {
  if (error instanceof ConfigError || error instanceof DataDirectoryInUse) return error.message;
  if (!(error instanceof Error)) return String(error);
  // A name with several addresses, none of which answers: the first one says enough.
  if (error instanceof AggregateError && error.errors.length > 0) return explain(error.errors[0]);
  const { code, syscall } = error as NodeJS.ErrnoException;
  if (syscall === 'listen') return `A listener could not start; set its port to another one (${error.message})`;
  if (syscall === 'connect') return `The database cannot be reached; look at DATABASE_URL (${error.message})`;
  if (REFUSED.test(code ?? '')) return `The database refuses the connection; look at DATABASE_URL (${error.message})`;
  if (code !== undefined && syscall !== undefined) return `The server could not start: ${error.message}`;
  return error.stack ?? error.message;
}

process.on('SIGTERM', onSignal);
process.on('SIGINT', onSignal);
try {
  app = await start(parseConfig(process.env), (text) => process.stdout.write(`${text}\n`));
  if (signalled) await drain(app);
} catch (error) {
  fail(error);
}

import { start } from './app.ts';
import { ConfigError, parseConfig } from './config.ts';
import { DataDirectoryInUse } from './database/lock.ts';

/** A second signal, or a drain that takes longer than this, ends the process at once. */
const DRAIN_LIMIT_MS = 15_000;

try {
  const app = await start(parseConfig(process.env), (line) => process.stdout.write(`${line}\n`));
  let stopping = false;
  const stop = (): void => {
    if (stopping) process.exit(1);
    stopping = true;
    setTimeout(() => process.exit(1), DRAIN_LIMIT_MS).unref();
    app.stop().then(
      () => process.exit(0),
      (error: unknown) => {
        process.stderr.write(`${String(error)}\n`);
        process.exit(1);
      },
    );
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
} catch (error) {
  const expected = error instanceof ConfigError || error instanceof DataDirectoryInUse;
  process.stderr.write(
    `${expected || !(error instanceof Error) ? String(error).replace(/^\w+: /, '') : error.stack}\n`,
  );
  process.exit(1);
}

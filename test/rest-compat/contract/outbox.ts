import { once } from 'node:events';
import { watch } from 'node:fs';
import { mkdir, readFile, readdir } from 'node:fs/promises';
import path from 'node:path';

import PostalMime from 'postal-mime';

const TIMEOUT_MS = 20_000;

/**
 * The tokens in mails to an address, oldest first, as soon as there are so many.
 * @throws when they do not come
 */
export async function mailedTokens(dataDir: string, address: string, count: number): Promise<readonly string[]> {
  const folder = path.join(dataDir, 'outbox');
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const watcher = watch(folder);
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  try {
    for (;;) {
      // Before the folder is read: a mail that comes meanwhile is seen by one of the two.
      const change = once(watcher, 'change', { signal });
      change.catch(() => undefined);
      const tokens = await tokensIn(folder, address);
      if (tokens.length >= count) return tokens;
      await change;
    }
  } catch (error) {
    throw new Error(`there are no ${count} mails to ${address}`, { cause: error });
  } finally {
    watcher.close();
  }
}

async function tokensIn(folder: string, address: string): Promise<string[]> {
  const files = (await readdir(folder)).filter((file) => file.endsWith('.eml')).toSorted();
  const mails = await Promise.all(files.map(async (file) => PostalMime.parse(await readFile(path.join(folder, file)))));
  return mails.flatMap(({ to = [], text = '' }) => {
    const [, token] = /[?&]token=([\w-]+)/.exec(text) ?? [];
    return token !== undefined && to.some((one) => one.address === address) ? [token] : [];
  });
}

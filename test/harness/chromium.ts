import { existsSync } from 'node:fs';

import { chromium, type Browser, type LaunchOptions } from 'playwright-core';

/** Where Debian's package puts it. */
const PATH = '/usr/bin/chromium';
const OPTIONS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--no-first-run',
];

export const hasChromium = existsSync(PATH);

/**
 * A real browser that asks nobody but the pages it is told to open. Close it.
 * @param proxy through which it goes, to loopback too
 */
export function launchChromium(proxy?: LaunchOptions['proxy']): Promise<Browser> {
  return chromium.launch({ executablePath: PATH, args: OPTIONS, ...(proxy !== undefined && { proxy }) });
}

import { existsSync } from 'node:fs';

import { chromium, type Browser } from 'playwright-core';

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

/** A real browser that asks nobody but the pages it is told to open. Close it. */
export function launchChromium(): Promise<Browser> {
  return chromium.launch({ executablePath: PATH, args: OPTIONS });
}

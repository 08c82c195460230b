import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { hasChromium, launchChromium } from '../harness/chromium.ts';
import { startOrigin, type Origin } from '../harness/origin.ts';
import { curl } from '../harness/proxyClients.ts';
import { ADMIN, startServer, type TestServer } from '../harness/server.ts';

let origin: Origin;
let server: TestServer;
beforeAll(async () => {
  origin = await startOrigin();
  server = await startServer();
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await origin[Symbol.asyncDispose]();
});

describe.skipIf(!hasChromium)('the playground in Chromium (package chromium)', () => {
  test('loads nothing from elsewhere, and shows live usage with a credential typed into its headers', async () => {
    const browser = await launchChromium();
    try {
      const page = await browser.newPage();
      const elsewhere: string[] = [];
      const faults: string[] = [];
      page.on('request', (request) => {
        if (/^(?:https?|wss?):/.test(request.url()) && !request.url().startsWith(server.ready.http))
          elsewhere.push(request.url());
      });
      page.on('pageerror', (error) => faults.push(error.message));
      page.on('console', (message) => {
        if (message.type() === 'error' && message.text().includes('Content Security Policy'))
          faults.push(message.text());
      });
      await page.goto(`${server.ready.http}/graphql`);
      await page.getByRole('button', { name: /execute query/i }).waitFor();
      await typeHeaders(page, JSON.stringify({ authorization: `Bearer ${ADMIN.apiKey}` }));
      await page.getByRole('button', { name: /execute query/i }).click();
      const result = page.locator('.result-window');
      await expect.poll(() => result.innerText(), { timeout: 15_000 }).toContain('UsageSnapshot');
      await curl.download(`${ADMIN.apiKey}:x@${server.ready.socksShared}`, origin.url('/bytes/1000'));
      await expect.poll(() => result.innerText(), { timeout: 15_000 }).toContain('UsageDelta');
      expect({ elsewhere, faults }).toEqual({ elsewhere: [], faults: [] });
    } finally {
      await browser.close();
    }
  }, 60_000);
});

async function typeHeaders(page: Page, headers: string): Promise<void> {
  await page.getByRole('button', { name: 'Headers' }).click();
  const editor = page
    .getByRole('region', { name: /headers/i })
    .or(page.locator('.graphiql-editor-tool'))
    .last();
  await editor.click();
  await page.keyboard.insertText(headers);
}

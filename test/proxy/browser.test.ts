import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { chromium } from 'playwright-core';
import { describe, expect, test } from 'vitest';

import { startProxy } from '../harness/socks.ts';
import { KEY } from '../harness/socksMessages.ts';

const CHROMIUM = '/usr/bin/chromium';
const OPTIONS = [
  ...['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update'],
  ...['--disable-sync', '--no-first-run'],
];

/** A web server with a certificate of its own making. */
async function startSecureOrigin(page: string): Promise<AsyncDisposable & { readonly port: number }> {
  const folder = mkdtempSync(path.join(tmpdir(), 'certificate-'));
  const [key, cert] = [path.join(folder, 'key.pem'), path.join(folder, 'cert.pem')];
  const subject = ['-subj', '/CN=origin.test', '-addext', 'subjectAltName=DNS:origin.test'];
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'];
  execFileSync(
    'openssl',
    ['req', '-x509', ...curve, '-nodes', '-days', '1', ...subject, '-keyout', key, '-out', cert],
    {
      stdio: 'ignore',
    },
  );
  const server = https.createServer({ key: readFileSync(key), cert: readFileSync(cert) }, (_request, response) => {
    response.setHeader('content-type', 'text/html').end(page);
  });
  rmSync(folder, { recursive: true });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

describe.skipIf(!existsSync(CHROMIUM))('Chromium (package chromium)', () => {
  test('goes through the proxy with a key, which it can give over HTTP alone', async () => {
    await using origin = await startSecureOrigin('<title>through the proxy</title>');
    const names = new Set<string>();
    await using proxy = await startProxy({
      fence: {
        lookup: async (name) => {
          names.add(name);
          return name === 'origin.test' ? ['127.0.0.1'] : ['10.0.0.1'];
        },
        allow: ['127.0.0.0/8'],
      },
    });
    const server = `http://127.0.0.1:${proxy.port}`;
    const browser = await chromium.launch({
      executablePath: CHROMIUM,
      args: OPTIONS,
      proxy: { server, username: KEY, password: 'x' },
    });
    try {
      const page = await browser.newPage({ ignoreHTTPSErrors: true });
      await page.goto(`https://origin.test:${origin.port}/`);
      expect(await page.title()).toBe('through the proxy');
      expect(names).toContain('origin.test');
      expect(proxy.meter.spent('down')).toBeGreaterThan(100);
      // It asked without the key first, was told to give it, and gave it.
      expect(proxy.proxy.stats.refusals.get('NO_CREDENTIALS')).toBeGreaterThan(0);
      await expect(page.goto('https://private.test/')).rejects.toThrow('ERR_TUNNEL_CONNECTION_FAILED');
      expect(proxy.refusals).toContain('EGRESS_FORBIDDEN');
    } finally {
      await browser.close();
    }
  }, 60_000);
});

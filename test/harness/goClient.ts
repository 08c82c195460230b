import { existsSync } from 'node:fs';
import { mkdir, rename } from 'node:fs/promises';
import path from 'node:path';

import type { ProxyClient } from './proxyClients.ts';
import { run } from './run.ts';

const GO = '/usr/bin/go';
/** Where Debian's packages put sources: nothing is fetched. Without modules, and without a C compiler. */
const PACKAGED = { GO111MODULE: 'off', GOPATH: '/usr/share/gocode', CGO_ENABLED: '0', GOFLAGS: '' };
const CACHE = path.join(import.meta.dirname, '../../node_modules/.cache/passerelle');
const SOURCE = path.join(import.meta.dirname, '../clients/go/main.go');

/** Go's x/net, in a small program of ours: its `http.Transport` dials through `proxy.SOCKS5`. */
export const goClient: ProxyClient = {
  name: "Go's x/net (golang-go, golang-golang-x-net-dev)",
  available: existsSync(GO) && existsSync(`${PACKAGED.GOPATH}/src/golang.org/x/net/proxy`),
  needsPassword: true,
  refused: /username\/password authentication failed/,
  download: async (proxy, url) => (await exchange(proxy, url)).length,
  exchange,
};

async function exchange(proxy: string, url: string, body?: Buffer): Promise<Buffer> {
  const { host, username, password } = new URL(`tcp://${proxy}`);
  built ??= build();
  return run(await built, [host, username, password, url], body);
}

let built: Promise<string> | undefined;

/** Compiles it, once per test process. Several may do so at once. @returns the program */
async function build(): Promise<string> {
  const program = path.join(CACHE, 'go-client');
  const draft = `${program}-${process.pid}`;
  await mkdir(CACHE, { recursive: true });
  await run(GO, ['build', '-o', draft, SOURCE], undefined, PACKAGED);
  await rename(draft, program);
  return program;
}

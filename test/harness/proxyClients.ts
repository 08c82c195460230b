import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { buffer } from 'node:stream/consumers';

import { SocksProxyAgent } from 'socks-proxy-agent';

import { goClient } from './goClient.ts';
import { run } from './run.ts';

/** A real client, as its users run it: moves HTTP bodies through the proxy. */
export interface ProxyClient {
  /** With the Debian packages that it needs. */
  readonly name: string;
  readonly available: boolean;
  /** Sends no credentials, or none that are good, when there is no password. */
  readonly needsPassword?: true;
  /** What it says when the proxy does not take the key. */
  readonly refused: RegExp;
  /**
   * GET. @param proxy `KEY@host:port` or `KEY:password@host:port`
   * @returns bytes of the body
   */
  download(proxy: string, url: string): Promise<number>;
  /** PUT. @returns the body of the answer */
  exchange(proxy: string, url: string, body: Buffer): Promise<Buffer>;
}

const TIMEOUT_SECONDS = 60;
const CURL_LIMITS = ['-sS', '--max-time', String(TIMEOUT_SECONDS)];
const CURL_SIZE = ['-o', '/dev/null', '-w', '%{size_download}'];
/** Of an upload whose length curl does not know: chunks, until its standard input ends. */
const CURL_UPLOAD = ['-H', 'expect:', '-T', '-'];

function curlWith(name: string, refused: RegExp, through: (proxy: string) => string[]): ProxyClient {
  const options = (proxy: string): string[] => [...CURL_LIMITS, ...through(proxy)];
  return {
    name,
    available: true,
    refused,
    download: async (proxy, url) => Number(await run('curl', [...options(proxy), ...CURL_SIZE, url])),
    exchange: (proxy, url, body) => run('curl', [...options(proxy), ...CURL_UPLOAD, url], body),
  };
}

/** It resolves names at the proxy (`socks5h`). */
export const curl = curlWith('curl', /rejected by the SOCKS5 server/, (proxy) => ['-x', `socks5h://${proxy}`]);

const tunnellingCurl = curlWith(
  'curl --proxytunnel',
  /CONNECT tunnel failed, response 407|Received HTTP code 407 from proxy/,
  (proxy) => ['--proxytunnel', '-x', `http://${proxy}`],
);

const PYTHON = '/usr/bin/python3';

/** PySocks, below Python's own http.client. */
export const pySocks: ProxyClient = {
  name: 'PySocks (python3-socks)',
  available: existsSync('/usr/lib/python3/dist-packages/socks.py'),
  needsPassword: true,
  refused: /SOCKS5 authentication failed/,
  download: async (proxy, url) => (await python(proxy, url)).length,
  exchange: python,
};

const PYTHON_SCRIPT = `
import sys, socks, http.client
from urllib.parse import urlsplit
proxy, url, body = urlsplit('//' + sys.argv[1]), urlsplit(sys.argv[2]), sys.stdin.buffer.read()
class Connection(http.client.HTTPConnection):
    def connect(self):
        self.sock = socks.create_connection((self.host, self.port), ${TIMEOUT_SECONDS}, None, socks.SOCKS5,
            proxy.hostname, proxy.port, True, proxy.username, proxy.password)
connection = Connection(url.hostname, url.port)
connection.request('PUT' if body else 'GET', url.path or '/', body or None)
sys.stdout.buffer.write(connection.getresponse().read())
`;

function python(proxy: string, url: string, body?: Buffer): Promise<Buffer> {
  return run(PYTHON, ['-c', PYTHON_SCRIPT, proxy, url], body);
}

const socksProxyAgent: ProxyClient = {
  name: 'socks-proxy-agent',
  available: true,
  refused: /Socks5 Authentication failed/,
  download: async (proxy, url) => (await request(proxy, url)).length,
  exchange: request,
};

async function request(proxy: string, url: string, body?: Buffer): Promise<Buffer> {
  const agent = new SocksProxyAgent(`socks5h://${proxy}`);
  try {
    return await new Promise<Buffer>((resolve, reject) => {
      const outgoing = http.request(url, { agent, method: body === undefined ? 'GET' : 'PUT' }, (response) => {
        buffer(response).then(resolve, reject);
      });
      outgoing.on('error', reject);
      outgoing.end(body);
    });
  } finally {
    agent.destroy();
  }
}

const PROXYCHAINS = '/usr/bin/proxychains4';

/** Around a curl that knows of no proxy. */
const proxychains: ProxyClient = {
  name: 'proxychains4',
  available: existsSync(PROXYCHAINS),
  needsPassword: true,
  refused: /denied|Could not connect/,
  download: async (proxy, url) => Number(await chained(proxy, [...CURL_SIZE, url])),
  exchange: (proxy, url, body) => chained(proxy, [...CURL_UPLOAD, url], body),
};

async function chained(proxy: string, options: readonly string[], body?: Buffer): Promise<Buffer> {
  const { hostname, port, username, password } = new URL(`tcp://${proxy}`);
  const folder = await mkdtemp(path.join(tmpdir(), 'proxychains-'));
  try {
    const file = path.join(folder, 'proxychains.conf');
    const line = ['socks5', hostname, port, username, password].join(' ');
    await writeFile(file, `strict_chain\nproxy_dns\n[ProxyList]\n${line}\n`);
    return await run(PROXYCHAINS, ['-f', file, 'curl', ...CURL_LIMITS, '--noproxy', '*', ...options], body);
  } finally {
    await rm(folder, { recursive: true });
  }
}

export const PROXY_CLIENTS: readonly ProxyClient[] = [
  curl,
  tunnellingCurl,
  pySocks,
  socksProxyAgent,
  proxychains,
  goClient,
];

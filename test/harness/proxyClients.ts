import { execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

import { SocksProxyAgent } from 'socks-proxy-agent';

const run = promisify(execFile);

/** A real SOCKS client: moves a body through the proxy and answers how many bytes it had. */
export interface ProxyClient {
  readonly name: string;
  readonly available: boolean;
  /** @param proxy `KEY@host:port` or `KEY:password@host:port` */
  download(proxy: string, url: string): Promise<number>;
  upload(proxy: string, url: string, bytes: number): Promise<number>;
}

const TIMEOUT_SECONDS = 60;

/** curl resolves names at the proxy (`socks5h`). */
export const curl: ProxyClient = {
  name: 'curl',
  available: true,
  async download(proxy, url) {
    const { stdout } = await run('curl', [...curlOptions(proxy), '-o', '/dev/null', '-w', '%{size_download}', url]);
    return Number(stdout);
  },
  async upload(proxy, url, bytes) {
    const child = spawn('curl', [...curlOptions(proxy), '-H', 'expect:', '--data-binary', '@-', url]);
    child.stdin.on('error', () => undefined);
    child.stdin.end(Buffer.alloc(bytes, 'up'));
    const answer = await text(child.stdout);
    return Number(answer);
  },
};

function curlOptions(proxy: string): string[] {
  return ['-sS', '--fail', '--max-time', String(TIMEOUT_SECONDS), '-x', `socks5h://${proxy}`];
}

const PYTHON = '/usr/bin/python3';

/** PySocks, through Python's own http.client. It sends credentials only when there is a password. */
export const pySocks: ProxyClient = {
  name: 'PySocks',
  available: existsSync('/usr/lib/python3/dist-packages/socks.py'),
  download: (proxy, url) => python(proxy, url, 0),
  upload: (proxy, url, bytes) => python(proxy, url, bytes),
};

const PYTHON_SCRIPT = `
import sys, socks, socket, http.client
from urllib.parse import urlsplit
proxy, url, size = urlsplit('//' + sys.argv[1]), urlsplit(sys.argv[2]), int(sys.argv[3])
class Connection(http.client.HTTPConnection):
    def connect(self):
        self.sock = socks.create_connection((self.host, self.port), ${TIMEOUT_SECONDS}, None, socks.SOCKS5,
            proxy.hostname, proxy.port, True, proxy.username, proxy.password)
connection = Connection(url.hostname, url.port)
connection.request('POST' if size else 'GET', url.path or '/', b'u' * size if size else None)
body = connection.getresponse().read()
print(int(body) if size else len(body))
`;

async function python(proxy: string, url: string, bytes: number): Promise<number> {
  const { stdout } = await run(PYTHON, ['-c', PYTHON_SCRIPT, proxy, url, String(bytes)]);
  return Number(stdout);
}

export const socksProxyAgent: ProxyClient = {
  name: 'socks-proxy-agent',
  available: true,
  download: async (proxy, url) => (await request(proxy, url)).length,
  upload: async (proxy, url, bytes) => Number((await request(proxy, url, Buffer.alloc(bytes, 'up'))).toString()),
};

async function request(proxy: string, url: string, body?: Buffer): Promise<Buffer> {
  const agent = new SocksProxyAgent(`socks5h://${proxy}`);
  try {
    return await new Promise<Buffer>((resolve, reject) => {
      const outgoing = http.request(url, { agent, method: body === undefined ? 'GET' : 'POST' }, (response) => {
        buffer(response).then(resolve, reject);
      });
      outgoing.on('error', reject);
      outgoing.end(body);
    });
  } finally {
    agent.destroy();
  }
}

async function buffer(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function text(stream: AsyncIterable<Buffer>): Promise<string> {
  return (await buffer(stream)).toString();
}

const PROXYCHAINS = '/usr/bin/proxychains4';

/** proxychains, around a curl that knows of no proxy. It sends credentials only when there is a password. */
export const proxychains: ProxyClient = {
  name: 'proxychains4',
  available: existsSync(PROXYCHAINS),
  download: (proxy, url) => chained(proxy, ['-o', '/dev/null', '-w', '%{size_download}', url]),
  upload: (proxy, url, bytes) =>
    chained(proxy, ['-H', 'expect:', '--data-binary', '@-', url], Buffer.alloc(bytes, 'up')),
};

async function chained(proxy: string, options: readonly string[], body = Buffer.alloc(0)): Promise<number> {
  const { hostname, port, username, password } = new URL(`tcp://${proxy}`);
  const folder = await mkdtemp(path.join(tmpdir(), 'proxychains-'));
  try {
    const file = path.join(folder, 'proxychains.conf');
    const line = ['socks5', hostname, port, username, password].join(' ');
    await writeFile(file, `strict_chain\nproxy_dns\n[ProxyList]\n${line}\n`);
    const limits = ['-sS', '--fail', '--noproxy', '*', '--max-time', String(TIMEOUT_SECONDS)];
    const child = spawn(PROXYCHAINS, ['-q', '-f', file, 'curl', ...limits, ...options]);
    child.stdin.on('error', () => undefined);
    child.stdin.end(body);
    return Number(await text(child.stdout));
  } finally {
    await rm(folder, { recursive: true });
  }
}

export const PROXY_CLIENTS: readonly ProxyClient[] = [curl, pySocks, socksProxyAgent, proxychains];

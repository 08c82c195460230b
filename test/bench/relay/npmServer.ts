import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';

import { createServer as createSocksServer } from '@pondwader/socks5-server';

import { KEY } from '../../harness/socksMessages.ts';

/** A maintained SOCKS server of npm, with user names checked as ours are. */
export async function startNpmServer(): Promise<{ readonly port: number }> {
  const socks = createSocksServer();
  socks.setAuthHandler(({ username }) => username === KEY);
  const server = createServer((socket) => void socks._handleConnection(socket));
  server.listen(0, '127.0.0.1', 4_096);
  await once(server, 'listening');
  return { port: (server.address() as AddressInfo).port };
}

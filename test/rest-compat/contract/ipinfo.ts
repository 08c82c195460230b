import { readFile } from 'node:fs/promises';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import path from 'node:path';

const PEM = path.join(import.meta.dirname, 'ipinfo.pem');

/** Stands in for https://ipinfo.io, with a certificate of that name: it says from where it is asked. */
export interface IpInfo extends AsyncDisposable {
  /** Options that lead curl here, though the address stays what the documentation says. */
  readonly curlOptions: string;
}

export async function startIpInfo(): Promise<IpInfo> {
  const pem = await readFile(PEM);
  const server = https.createServer({ key: pem, cert: pem }, (request, response) => {
    response.writeHead(request.url === '/ip' ? 200 : 404).end(request.socket.remoteAddress);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    curlOptions: `--connect-to ipinfo.io:443:127.0.0.1:${port} --cacert '${PEM}'`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

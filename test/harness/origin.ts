import http from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

/** A local web server that counts every byte its sockets carried, headers included: the other end of the bill. */
export interface Origin extends AsyncDisposable {
  readonly port: number;
  /** Bytes received from clients, and bytes sent to them, over all connections so far. */
  count(): { readonly up: bigint; readonly down: bigint };
  /** Resolves once every connection has ended. */
  idle(): Promise<void>;
  url(path: string, host?: string): string;
}

const CHUNK = Buffer.alloc(64 * 1024, 'passerelle ');

/**
 * `GET /bytes/<n>` answers n bytes, `GET /endless` never ends, `POST /` swallows the body and answers how
 * many bytes it had, `PUT /` answers with the body. Every connection serves one request.
 */
export async function startOrigin(host = '127.0.0.1'): Promise<Origin> {
  const sockets = new Set<Socket>();
  let up = 0n;
  let down = 0n;
  let idle: (() => void)[] = [];
  const server = http.createServer({ keepAlive: false }, answer);
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => {
      up += BigInt(socket.bytesRead);
      down += BigInt(socket.bytesWritten);
      sockets.delete(socket);
      if (sockets.size > 0) return;
      for (const resolve of idle) resolve();
      idle = [];
    });
  });
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  const { port } = server.address() as AddressInfo;
  return {
    port,
    count: () => ({ up, down }),
    idle: async () => {
      if (sockets.size > 0) await new Promise<void>((resolve) => idle.push(resolve));
    },
    url: (path, name = host) => `http://${name.includes(':') ? `[${name}]` : name}:${port}${path}`,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function answer(request: http.IncomingMessage, response: http.ServerResponse): void {
  const [, kind, size] = /^\/(bytes|endless)(?:\/(\d+))?$/.exec(request.url ?? '') ?? [];
  if (request.method === 'POST') return swallow(request, response);
  if (request.method === 'PUT') return void request.on('error', () => response.destroy()).pipe(response);
  if (kind === undefined) {
    response.writeHead(200, { 'content-length': 3 }).end('ok\n');
    return;
  }
  const total = kind === 'endless' ? Infinity : Number(size);
  response.writeHead(200, kind === 'endless' ? {} : { 'content-length': total });
  let left = total;
  const pump = (): void => {
    while (left > 0 && !response.destroyed) {
      const piece = left >= CHUNK.length ? CHUNK : CHUNK.subarray(0, left);
      left -= piece.length;
      if (!response.write(piece)) return void response.once('drain', pump);
    }
    response.end();
  };
  pump();
}

function swallow(request: http.IncomingMessage, response: http.ServerResponse): void {
  let received = 0;
  request.on('data', (chunk: Buffer) => (received += chunk.length));
  request.on('end', () => response.end(`${received}\n`));
  request.on('error', () => response.destroy());
}

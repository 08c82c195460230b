import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';

import { serveCommands } from './child.ts';

/** What tunnels lead to: one port that answers every byte with itself, one whose connections are downloads of 1 GiB. */
export type TargetCommand = { readonly do: 'listen' | 'count' | 'finish' };

export interface TargetPorts {
  readonly echo: number;
  readonly download: number;
}

/** `written` counts what the downloads gave to their sockets so far, over all connections. */
export interface TargetCount {
  readonly connections: number;
  readonly written: number;
}

const DOWNLOAD_BYTES = 2 ** 30;
const CHUNK = Buffer.alloc(64 * 1024, 'passerelle ');
const BACKLOG = 4_096;

const downloads = new Set<Socket>();
let connections = 0;
let closedBytes = 0;
let finishing = false;

function echo(socket: Socket): void {
  watch(socket);
  socket.on('data', (bytes) => socket.write(bytes));
}

function download(socket: Socket): void {
  watch(socket);
  downloads.add(socket);
  socket.on('close', () => {
    downloads.delete(socket);
    closedBytes += socket.bytesWritten;
  });
  let left = DOWNLOAD_BYTES;
  const pump = (): void => {
    while (left > 0 && !finishing) {
      left -= CHUNK.length;
      if (!socket.write(CHUNK)) return;
    }
    socket.end();
  };
  socket.on('drain', pump).resume();
  pump();
}

function watch(socket: Socket): void {
  connections += 1;
  socket.on('error', () => undefined).on('close', () => (connections -= 1));
}

/** Every download ends in good order behind what was written. */
function finish(): void {
  finishing = true;
  for (const socket of downloads) socket.end();
}

function listen(server: Server): Promise<number> {
  return new Promise((resolve) =>
    server.listen(0, '127.0.0.1', BACKLOG, () => resolve((server.address() as AddressInfo).port)),
  );
}

serveCommands(async (command: TargetCommand) => {
  if (command.do === 'listen') {
    const ports: TargetPorts = {
      echo: await listen(createServer(echo)),
      download: await listen(createServer(download)),
    };
    return ports;
  }
  if (command.do === 'finish') finish();
  const open = [...downloads].reduce((sum, socket) => sum + socket.bytesWritten, 0);
  return { connections, written: closedBytes + open } satisfies TargetCount;
});

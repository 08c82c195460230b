import net, { type AddressInfo, type Socket } from 'node:net';

/** A way to a server that can fall silent without closing anything, as a machine does that lost its network. */
export interface Freezable extends AsyncDisposable {
  readonly port: number;
  /** Connections stay open; no byte passes any more, on new ones neither. */
  freeze(): void;
}

/** Forwards to a port of 127.0.0.1. */
export async function freezable(port: number): Promise<Freezable> {
  const sockets = new Set<Socket>();
  let frozen = false;
  const keep = (socket: Socket): void => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy()).on('close', () => sockets.delete(socket));
    if (frozen) socket.pause();
  };
  const server = net.createServer((client) => {
    const target = net.connect(port, '127.0.0.1');
    for (const [from, to] of [
      [client, target],
      [target, client],
    ] as const) {
      from.on('data', (bytes) => to.write(bytes)).on('end', () => to.end());
      keep(from);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    freeze() {
      frozen = true;
      for (const socket of sockets) socket.pause();
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

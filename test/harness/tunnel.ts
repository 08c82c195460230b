import net from 'node:net';

import { GREETING, login, requestName } from './socksMessages.ts';

const METHOD_PASSWORD = 0x02;

/**
 * Opens a tunnel through a SOCKS5 proxy (RFC 1928, RFC 1929), by hand: every byte after it is payload.
 * @param proxy `127.0.0.1:1080`
 * @param from address that the client has, where it matters
 * @throws an error that names the step and the code when the proxy refuses
 */
export async function connectThrough(
  proxy: string,
  key: string,
  host: string,
  port: number,
  from?: string,
): Promise<net.Socket> {
  const at = new URL(`tcp://${proxy}`);
  const socket = net.connect({
    host: at.hostname.replace(/^\[|\]$/g, ''),
    port: Number(at.port),
    allowHalfOpen: true,
    ...(from !== undefined && { localAddress: from }),
  });
  socket.on('error', () => undefined);
  try {
    await exchange(socket, Buffer.from(GREETING), 2, 'greeting', METHOD_PASSWORD);
    await exchange(socket, login(key, 'x'), 2, 'login', 0);
    await exchange(socket, requestName(port, host), 10, 'connect', 0);
    return socket;
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

/** Sends a message and reads the answer, which has `length` bytes and its code in the second. */
async function exchange(
  socket: net.Socket,
  message: Buffer,
  length: number,
  step: string,
  good: number,
): Promise<void> {
  socket.write(message);
  const answer = await read(socket, length);
  if (answer[1] !== good) throw new Error(`${step} refused with ${answer[1]}`);
}

function read(socket: net.Socket, length: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const finish = (act: () => void): void => {
      socket.off('readable', attempt).off('end', closed).off('close', closed);
      act();
    };
    const closed = (): void => finish(() => reject(new Error('the proxy closed the connection')));
    const attempt = (): void => {
      const chunk = socket.read(length) as Buffer | null;
      if (chunk !== null) finish(() => resolve(chunk));
    };
    socket.on('readable', attempt).once('end', closed).once('close', closed);
    attempt();
  });
}

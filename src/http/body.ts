import type { IncomingMessage } from 'node:http';

/** Bytes of a GraphQL request's body. */
export const MAX_BODY_BYTES = 256 * 1024;

/** The client went away before its request was complete: there is nobody to answer. */
export class ClientGone extends Error {
  override readonly name = 'ClientGone';
}

/**
 * Reads a whole body. How long it may take is the server's `requestTimeout`.
 * @returns undefined when it is longer than `maxBytes`; the rest is then read and dropped, or the client
 *   would not see the answer
 * @throws ClientGone
 */
export function readBody(request: IncomingMessage, maxBytes: number): Promise<Buffer | undefined> {
  return new Promise((resolve, reject) => {
    if (Number(request.headers['content-length'] ?? 0) > maxBytes) {
      request.resume();
      resolve(undefined);
      return;
    }
    const chunks: Buffer[] = [];
    let size = 0;
    request.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size <= maxBytes) {
        chunks.push(chunk);
        return;
      }
      chunks.length = 0;
      resolve(undefined);
    });
    request.once('end', () => resolve(Buffer.concat(chunks)));
    request.once('error', () => reject(new ClientGone()));
    // Also follows the end, and then there is nothing to tell.
    request.once('close', () => {
      if (!request.readableEnded) reject(new ClientGone());
    });
  });
}

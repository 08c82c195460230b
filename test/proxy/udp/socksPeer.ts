import { startPeer, type Peer } from '../../harness/socks.ts';
import { encodePeer } from '../../../src/proxy/socks5.ts';

/**
 * An upstream SOCKS5 proxy without a login that answers every request with success.
 * @param bound where it claims to take datagrams
 */
export function startSocksPeer(bound: { readonly address: string; readonly port: number }): Promise<Peer> {
  return startPeer((socket) => {
    socket.once('data', () => {
      socket.write(Buffer.of(5, 0));
      socket.once('data', () => {
        socket.write(Buffer.from([5, 0, 0, ...encodePeer(bound.address, bound.port)]));
        socket.on('end', () => socket.end()).resume();
      });
    });
  });
}

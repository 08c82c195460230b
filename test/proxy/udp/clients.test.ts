import { execFile, execFileSync } from 'node:child_process';
import { promisify } from 'node:util';

import { expect, test } from 'vitest';

import { startProxy, until } from '../../harness/socks.ts';
import { KEY } from '../../harness/socksMessages.ts';
import { startUdpPeer } from './fixture.ts';

const run = promisify(execFile);
const PYTHON = '/usr/bin/python3';

const hasPySocks = ((): boolean => {
  try {
    execFileSync(PYTHON, ['-c', 'import socks'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
})();

/** Asks a name server for the address of a name, and prints it; then sends so many bytes and counts what returns. */
const SCRIPT = `
import socket, socks, struct, sys
proxy, key, server, size = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
s = socks.socksocket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(20)
s.set_proxy(socks.SOCKS5, '127.0.0.1', proxy, True, key, 'x')
labels = b''.join(bytes([len(part)]) + part for part in [b'www', b'example', b'test'])
query = struct.pack('>6H', 4242, 0x0100, 1, 0, 0, 0) + labels + b'\\0' + struct.pack('>2H', 1, 1)
s.sendto(query, ('127.0.0.1', server))
answer, sender = s.recvfrom(4096)
assert sender == ('127.0.0.1', server), sender
assert struct.unpack('>6H', answer[:12]) == (4242, 0x8180, 1, 1, 0, 0), answer
print('.'.join(str(byte) for byte in answer[-4:]))
s.sendto(b'x' * size, ('localhost', server))
print(len(s.recvfrom(65536)[0]))
`;

/** A name server that knows one answer, and an echo for everything that is no query. */
function answer(payload: Buffer): readonly Uint8Array[] {
  if (payload[0] === 0x78) return [payload];
  const head = Buffer.concat([payload.subarray(0, 2), Buffer.of(0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0)]);
  const record = Buffer.of(0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 203, 0, 113, 7);
  return [Buffer.concat([head, payload.subarray(12), record])];
}

test.runIf(hasPySocks)('PySocks asks a name server, and gets its answer', async () => {
  await using server = await startUdpPeer(answer);
  await using proxy = await startProxy();
  const { stdout } = await run(PYTHON, ['-c', SCRIPT, String(proxy.port), KEY, String(server.port), '1200']);
  expect(stdout).toBe('203.0.113.7\n1200\n');
  await until(() => proxy.proxy.stats.connections === 0, 'closed');
  expect([proxy.meter.spent('up'), proxy.meter.spent('down')]).toEqual([server.bytes.in, server.bytes.out]);
});

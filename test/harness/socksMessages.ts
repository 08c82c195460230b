/** The one key that the proxy of a test knows; its id is 1. */
export const KEY = 'lpf_0123456789abcdef0123456789abcdef';

export const GREETING = [5, 1, 2];

export function login(username = KEY, password = ''): Buffer {
  const [user, secret] = [Buffer.from(username), Buffer.from(password)];
  return Buffer.concat([Buffer.of(1, user.length), user, Buffer.of(secret.length), secret]);
}

/** A CONNECT request for an IPv4 address. */
export function request(port: number, address = '127.0.0.1', command = 1): Buffer {
  return Buffer.of(5, command, 0, 1, ...address.split('.').map(Number), port >> 8, port & 0xff);
}

export function requestName(port: number, name: string): Buffer {
  return Buffer.concat([Buffer.of(5, 1, 0, 3, name.length), Buffer.from(name), Buffer.of(port >> 8, port & 0xff)]);
}

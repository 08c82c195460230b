import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

import { expect, test } from 'vitest';

import { ConfigError, parseConfig } from '../src/config.ts';
import { createFence } from '../src/egress.ts';
import { plainText } from '../src/schema/inputs.ts';
import { loadMasterKey } from '../src/secrets.ts';

test('an empty environment gives the documented defaults', () => {
  const config = parseConfig({});
  expect(config).toMatchObject({
    HOST: '127.0.0.1',
    PORT: 4000,
    SOCKS_SHARED_PORT: 1080,
    SOCKS_DEDICATED_PORT: 1081,
    BROWSER_PORT: 8080,
    DATA_DIR: path.resolve('data'),
    ADMIN_EMAIL: 'admin@localhost',
    RELAY: 'auto',
    RELAY_WORKERS: 1,
    SOCKS_IDLE_TIMEOUT: 300,
    MAX_CONNECTIONS_PER_KEY: 10_000,
    MAX_SUBSCRIPTIONS_PER_ACCOUNT: 5_000,
    AUTH_MAX_FAILURES: 10,
    LPF_SESSION_TTL: 7 * 86_400,
    LOG_LEVEL: 'info',
    EGRESS_ALLOW: [],
  });
  expect(config.DATABASE_URL).toBeUndefined();
  expect(Object.isFrozen(config)).toBe(true);
});

test('an empty value counts as unset', () => {
  expect(parseConfig({ PORT: '', DATABASE_URL: '' })).toEqual(parseConfig({}));
});

test('every malformed value is named in one message, and no secret is repeated', () => {
  const secret = 'postgres-password-canary';
  const env = {
    HOST: 'nowhere',
    PORT: '70000',
    SOCKS_SHARED_PORT: '1e3',
    DATABASE_URL: `mysql://u:${secret}@h/d`,
    REDIS_URL: 'http://h',
    PUBLIC_URL: 'ftp://h',
    MASTER_KEY: 'c2hvcnQ=',
    ADMIN_EMAIL: 'nobody',
    ADMIN_PASSWORD: 'short',
    ADMIN_API_KEY: 'lpf_XYZ',
    WELCOME_CREDITS: '-1',
    TRUSTED_PROXIES: '10.0.0.1',
    EGRESS_ALLOW: '10.0.0.0/8,elsewhere',
    EXITS_SHARED: 'direct,teleport',
    RELAY: 'warp',
    SOCKS_IDLE_TIMEOUT: '0',
    LPF_SESSION_TTL: '7 days',
    LOG_LEVEL: 'loud',
    SMTP_URL: `http://u:${secret}@h`,
    MAIL_FROM: 'Somebody <no address>',
    CHAIN_RPC_1: `ftp://u:${secret}@h`,
    CHAIN_RPC_mainnet: 'http://h',
  };
  const fault = catchConfigError(env);
  for (const name of Object.keys(env)) expect(fault.message).toContain(`  ${name} `);
  expect(fault.message).not.toContain(secret);
  expect(fault.message.split('\n')).toHaveLength(1 + Object.keys(env).length);
});

test('a contradiction is named beside a malformed value of any kind', () => {
  for (const malformed of [{ EGRESS_ALLOW: '1.2.3.4' }, { LPF_SESSION_TTL: '7' }, { PORT: 'abc' }]) {
    const { message } = catchConfigError({ DATABASE_URL: 'postgres://h/d', ...malformed });
    for (const name of ['MASTER_KEY', ...Object.keys(malformed)]) expect(message).toContain(`  ${name} `);
  }
});

test.each([
  ['a control character', 'twelve\tcharacters', 'must not hold control characters'],
  ['a line break at its end', 'twelve characters\n', 'must not hold control characters'],
  ['more characters than sign-in takes', 'x'.repeat(1_001), 'must have at most 1000 characters'],
  ['too few characters', 'x'.repeat(11), 'must have at least 12 characters'],
])('an ADMIN_PASSWORD that could never sign in is refused: %s', (_what, password, why) => {
  const { message } = catchConfigError({ ADMIN_PASSWORD: password });
  expect(message.split('\n').slice(1)).toEqual([`  ADMIN_PASSWORD ${why}`]);
});

test('an ADMIN_PASSWORD of a thousand characters of any script is taken', () => {
  const password = 'mot de passe – 密码 '.repeat(100).slice(0, 1_000);
  expect(parseConfig({ ADMIN_PASSWORD: password }).ADMIN_PASSWORD).toBe(password);
  expect(plainText.safeParse(password).success).toBe(true);
});

test('EGRESS_ALLOW takes the blocks that the fence takes, and no others', () => {
  const good = ['127.0.0.0/8', '::1/128', '10.0.0.0/8', 'fd00::/8', '::1.2.3.4/128', '::ffff:10.0.0.0/104'];
  expect(parseConfig({ EGRESS_ALLOW: good.join(', ') }).EGRESS_ALLOW).toEqual(good);
  createFence({ allow: good });
  for (const bad of [
    '127.1/8',
    '10/8',
    '0x7f.1/8',
    '010.0.0.0/8',
    'fe80::1%eth0/64',
    '::ffff:10.0.0.0/95',
    '1.2.3.4',
    '10.0.0.0/8/8',
  ])
    expect(catchConfigError({ EGRESS_ALLOW: bad }).message, bad).toContain(`EGRESS_ALLOW must be`);
});

test('chains are named by their number', () => {
  const config = parseConfig({
    CHAIN_RPC_1: 'https://one.example',
    CHAIN_RPC_8453: 'http://127.0.0.1:8545',
    CHAIN_RPC_56: '',
  });
  expect(config.CHAIN_RPC).toEqual({ 1: 'https://one.example', 8453: 'http://127.0.0.1:8545' });
  for (const name of ['CHAIN_RPC_', 'CHAIN_RPC_0', 'CHAIN_RPC_01', 'CHAIN_RPC_0x1', 'CHAIN_RPC_-1'])
    expect(catchConfigError({ [name]: 'http://h' }).message, name).toContain(
      `  ${name} must end in the number of a chain`,
    );
});

test.each(['no-reply@example.com', 'Passerelle <no-reply@example.com>', 'Le Proxy Français <a@b>'])(
  'mail may come from %s',
  (from) => expect(parseConfig({ MAIL_FROM: from }).MAIL_FROM).toBe(from),
);

test.each(['', ' ', 'nobody', 'a@b\r\nBcc: c@d', 'A <a@b>, B <c@d>', '<a@b', 'a b@c'])(
  'mail may not come from %j',
  (from) => {
    if (from === '') return expect(parseConfig({ MAIL_FROM: from }).MAIL_FROM).toBeUndefined();
    expect(catchConfigError({ MAIL_FROM: from }).message).toContain('  MAIL_FROM must be');
  },
);

test('DATABASE_URL requires MASTER_KEY', () => {
  const fault = catchConfigError({ DATABASE_URL: 'postgres://h/d' });
  expect(fault.message).toContain('MASTER_KEY is required with DATABASE_URL');
  const config = parseConfig({ DATABASE_URL: 'postgres://h/d', MASTER_KEY: Buffer.alloc(32, 7).toString('base64') });
  expect(config.MASTER_KEY).toEqual(Buffer.alloc(32, 7));
});

test.each([
  ['7d', 604_800],
  ['12h', 43_200],
  ['30m', 1_800],
  ['45s', 45],
])('the duration %s is %i seconds', (text, seconds) => {
  expect(parseConfig({ LPF_SESSION_TTL: text }).LPF_SESSION_TTL).toBe(seconds);
});

test('the master key is made once, for its owner alone, and never overwritten', () => {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'passerelle-'));
  try {
    const key = loadMasterKey(folder);
    expect(key).toHaveLength(32);
    expect(loadMasterKey(folder)).toEqual(key);
    const file = path.join(folder, 'master.key');
    expect(statSync(file).mode & 0o777).toBe(0o600);
    writeFileSync(file, 'bad');
    expect(() => loadMasterKey(folder)).toThrow(ConfigError);
    expect(readFileSync(file, 'utf8')).toBe('bad');
  } finally {
    rmSync(folder, { recursive: true });
  }
});

function catchConfigError(env: Record<string, string>): ConfigError {
  try {
    parseConfig(env);
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
  throw new Error('the configuration was accepted');
}

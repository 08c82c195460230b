import { expect, test } from 'vitest';

import { readyLine, welcome } from '../src/welcome.ts';

const addresses = {
  http: 'http://127.0.0.1:4000',
  socksShared: '[::1]:1080',
  socksDedicated: '127.0.0.1:1081',
  browser: null,
};

test('the ready line is one JSON object with the real addresses', () => {
  expect(readyLine(addresses)).toBe(
    '{"event":"ready","http":"http://127.0.0.1:4000","socksShared":"[::1]:1080","socksDedicated":"127.0.0.1:1081","browser":null}',
  );
});

test('the welcome block names the account once and gives a command for each way in', () => {
  const account = { email: 'a@b.example', password: 'pass-word-1234', apiKey: `lpf_${'0'.repeat(32)}`, balance: '10' };
  const text = welcome(account, addresses);
  for (const value of Object.values(account)) expect(text).toContain(value);
  const commands = text.split('\n').filter((line) => line.startsWith('  curl '));
  expect(commands).toHaveLength(4);
  expect(commands[0]).toBe(`  curl -x 'socks5h://${account.apiKey}:x@[::1]:1080' https://example.com/`);
});

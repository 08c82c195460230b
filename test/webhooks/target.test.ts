import { describe, expect, it } from 'vitest';

import { createFence } from '../../src/egress.ts';
import { createWebhookTarget } from '../../src/webhooks/target.ts';

const own = () => [{ address: '127.0.0.1', port: 4000 }];
const closed = createWebhookTarget(createFence({ own }));
const opened = createWebhookTarget(createFence({ own, allow: ['127.0.0.0/8', '10.1.0.0/16', '::1/128'] }));

const PLAIN = 'must begin with https://; plain http:// only reaches addresses that the operator has opened';
const REFUSED = 'must not lead to a private or internal address';

describe('URLs of webhooks', () => {
  it.each([
    'https://example.com/hook',
    'https://EXAMPLE.com:8443/hook?a=1#b',
    'https://xn--bcher-kva.example/',
    'https://bücher.example/',
    'https://8.8.8.8/hook',
    'https://[2001:4860:4860::8888]/hook',
    `https://example.com/${'a'.repeat(2048 - 'https://example.com/'.length)}`,
  ])('may be %s', (url) => {
    expect(closed(url)).toBeUndefined();
    expect(opened(url)).toBeUndefined();
  });

  it.each([
    ['', 'must be a URL'],
    ['example', 'must be a URL'],
    ['//example.com/hook', 'must be a URL'],
    ['https://', 'must be a URL'],
    ['https://exa mple.com/', 'must be a URL'],
    ['https://example.com:70000/', 'must be a URL'],
    ['ftp://example.com/', 'must begin with https://'],
    ['javascript:alert(1)', 'must begin with https://'],
    ['file:///etc/passwd', 'must begin with https://'],
    ['https://user@example.com/', 'must not hold a user name or password'],
    ['https://:secret@example.com/', 'must not hold a user name or password'],
    ['https://example.com:0/', 'must not name port 0'],
    ['http://example.com/', PLAIN],
    ['http://localhost.example.com/', PLAIN],
    ['http://8.8.8.8/', PLAIN],
    ['https://localhost/', REFUSED],
    ['https://LOCALHOST./', REFUSED],
    ['https://api.localhost:8443/', REFUSED],
    [`https://example.com/${'a'.repeat(2049 - 'https://example.com/'.length)}`, 'must have at most 2048 characters'],
  ])('may not be %s', (url, reason) => {
    expect(closed(url)).toBe(reason);
    expect(opened(url)).toBe(reason);
  });

  it.each([
    'https://127.0.0.1/',
    'https://127.1/',
    'https://2130706433/',
    'https://0x7f.0.0.1/',
    'https://0177.0.0.1/',
    'https://10.1.2.3/',
    'https://[::1]/',
    'https://[::ffff:127.0.0.1]/',
  ])('may be %s only where the operator has opened the address', (url) => {
    expect(closed(url)).toBe(REFUSED);
    expect(opened(url)).toBeUndefined();
    const plain = url.replace('https:', 'http:');
    expect(closed(plain)).toBe(PLAIN);
    expect(opened(plain)).toBeUndefined();
  });

  it.each([
    'https://10.2.0.1/',
    'https://192.168.0.1/',
    'https://100.64.0.1/',
    'https://169.254.169.254/latest/meta-data',
    'https://168.63.129.16/',
    'https://0.0.0.0/',
    'https://224.0.0.1/',
    'https://[fe80::1]/',
    'https://[fd00::1]/',
    'https://[64:ff9b::a9fe:a9fe]/',
  ])('may not be %s', (url) => {
    expect(closed(url)).toBe(REFUSED);
    expect(opened(url)).toBe(REFUSED);
  });

  it('may never lead to our own listeners', () => {
    expect(opened('http://127.0.0.1:4000/graphql')).toBe(REFUSED);
    expect(opened('https://127.0.0.1:4000/graphql')).toBe(REFUSED);
    expect(opened('http://127.0.0.1:4001/hook')).toBeUndefined();
  });
});

import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';

import { createClient } from 'graphql-sse';
import { expect, it, vi } from 'vitest';

import { silence } from '../graphql/fixtureSchema.ts';
import { exchange, startFixture } from './fixture.ts';

const STREAM = { accept: 'text/event-stream' };

/** The events of a finished stream, comments left out. */
function events(body: string): string[] {
  return body.split('\n\n').filter((event) => event !== '' && !event.startsWith(':'));
}

const clientOf = (origin: string): ReturnType<typeof createClient> =>
  createClient({ url: `${origin}/graphql`, retryAttempts: 0, headers: { authorization: 'Bearer lpf_good' } });

async function collect(origin: string, query: string): Promise<unknown[]> {
  const results: unknown[] = [];
  for await (const result of clientOf(origin).iterate({ query })) results.push(result);
  return results;
}

it('streams a subscription to the graphql-sse client, to its end', async () => {
  await using fixture = await startFixture();
  const results = await collect(fixture.origin, 'subscription { tick(count: 3) }');
  expect(results).toEqual([1, 2, 3].map((tick) => ({ data: { tick } })));
});

it('answers queries and mutations as a stream of one', async () => {
  await using fixture = await startFixture();
  expect(await collect(fixture.origin, '{ me { id } }')).toEqual([{ data: { me: { id: '7' } } }]);
  expect(await collect(fixture.origin, 'mutation { bump(by: 2) }')).toEqual([{ data: { bump: 2 } }]);
});

it('ends with the error CREDENTIAL_REVOKED, then complete', async () => {
  await using fixture = await startFixture();
  const query = encodeURIComponent('subscription { tick(count: 1, revoke: APP) }');
  const { status, headers, body } = await exchange(`${fixture.origin}/graphql?query=${query}`, { headers: STREAM });
  expect([status, headers['content-type']]).toEqual([200, 'text/event-stream']);
  const revoked = { message: 'The credential was revoked.', extensions: { code: 'CREDENTIAL_REVOKED' } };
  expect(events(body)).toEqual([
    'event: next\ndata: {"data":{"tick":1}}',
    `event: next\ndata: ${JSON.stringify({ errors: [revoked] })}`,
    'event: complete\ndata:',
  ]);
});

it('tells in the stream why a subscription cannot start', async () => {
  await using fixture = await startFixture();
  const results = await collect(fixture.origin, 'subscription { tick(count: -1) }');
  expect(results).toEqual([{ errors: [expect.objectContaining({ extensions: { code: 'BAD_CURSOR' } })] }]);
});

it('refuses a bad credential before the stream', async () => {
  await using fixture = await startFixture();
  const url = `${fixture.origin}/graphql?query=${encodeURIComponent('subscription { tick(count: 1) }')}`;
  const { status, headers } = await exchange(url, { headers: { ...STREAM, authorization: 'Bearer bad' } });
  expect([status, headers['www-authenticate']]).toEqual([401, 'Bearer']);
});

it('speaks as GraphiQL asks: GET, an event stream, the credential in a header', async () => {
  await using fixture = await startFixture();
  const headers = { accept: 'text/event-stream', authorization: 'Bearer lpf_good', 'content-type': 'application/json' };
  const url = `${fixture.origin}/graphql?query=${encodeURIComponent('subscription { tick(count: 1) }')}&variables=%7B%7D`;
  const { body } = await exchange(url, { headers });
  expect(events(body)).toEqual(['event: next\ndata: {"data":{"tick":1}}', 'event: complete\ndata:']);
});

/** Opens a stream that stays silent. */
async function openSilence(origin: string): Promise<{ close: () => void; closed: Promise<unknown> }> {
  const opened = silence.opened;
  const query = encodeURIComponent('subscription { silence }');
  const client = request(`${origin}/graphql?query=${query}`, { headers: STREAM, agent: false });
  client.on('error', () => {});
  client.end();
  const [response] = (await once(client, 'response')) as [IncomingMessage];
  const closed = new Promise((resolve) => response.once('close', resolve));
  response.on('error', () => {});
  response.resume();
  await vi.waitFor(() => expect(silence.opened).toBe(opened + 1));
  return { close: () => client.destroy(), closed };
}

it('ends the source at once when the client leaves', async () => {
  await using fixture = await startFixture();
  const ended = silence.ended;
  const { close } = await openSilence(fixture.origin);
  close();
  await vi.waitFor(() => expect(silence.ended).toBe(ended + 1));
});

it('cuts open streams when the server stops, so that clients come back', async () => {
  const fixture = await startFixture();
  const ended = silence.ended;
  const { closed } = await openSilence(fixture.origin);
  const started = performance.now();
  await fixture.server.close();
  await closed;
  expect(performance.now() - started).toBeLessThan(2_000);
  await vi.waitFor(() => expect(silence.ended).toBe(ended + 1));
});

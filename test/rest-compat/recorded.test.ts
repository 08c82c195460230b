import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { lpf } from '../../rest-compat/dialects/lpf.ts';
import { signerOf, type Signing } from './signing.ts';
import { openWorld, PASSWORD, SECRETS, type World } from './world.ts';

interface Exchange {
  readonly title: string;
  readonly request: {
    readonly method: string;
    readonly path: string;
    /** A name of SECRETS, `jwt` (the customer's session), `last` (the last session opened), or any other text as it stands. */
    readonly bearer?: string;
    readonly headers?: Readonly<Record<string, string>>;
    /** Text, exactly as sent; `<message>` and `<signature>` are the last that a wallet was given and signed. */
    readonly body?: string;
    /** Before it a wallet asks for a message, and signs it. */
    readonly signs?: Signing;
  };
  readonly reply?: {
    readonly status: number;
    readonly headers: Readonly<Record<string, string>>;
    readonly body: string;
  };
}

interface Recording {
  /** `GET /keys` */
  readonly row: string;
  readonly exchanges: readonly Exchange[];
}

const FOLDER = path.join(import.meta.dirname, 'lpf');
const KEPT_HEADERS = ['content-type', 'cache-control', 'www-authenticate', 'retry-after', 'allow'];
/** RECORD=1 rewrites the replies; read the difference before committing it. */
const RECORD = process.env['RECORD'] === '1';

const files = readdirSync(FOLDER).filter((file) => !file.startsWith('reference.'));
const read = (file: string): Recording => JSON.parse(readFileSync(path.join(FOLDER, file), 'utf8')) as Recording;

/** What differs from run to run has a name instead. */
function normalise(body: string): string {
  const known = new Set<string>(Object.values(SECRETS));
  return body
    .replaceAll(/lpf_[0-9a-f]{32}/g, (secret) => (known.has(secret) ? secret : '<secret>'))
    .replaceAll(/lpf_[0-9a-f]{4}\.\.\./g, (preview) =>
      [...known].some((one) => one.startsWith(preview.slice(0, 8))) ? preview : '<preview>',
    )
    .replaceAll(/(?<="nonce":"|Nonce: )[0-9a-f]{32}/g, '<nonce>')
    .replaceAll(/"eyJ[\w-]+\.[\w-]+\.[\w-]+"/g, '"<jwt>"')
    .replaceAll(/"(\d{4}-\d\d)-\d\dT\d\d:\d\d:\d\dZ"/g, (instant, month) =>
      month === '2026-03' ? instant : '"<now>"',
    );
}

async function signIn({ http }: World): Promise<string> {
  const body = JSON.stringify({ email: 'user@example.com', password: PASSWORD });
  const headers = { 'content-type': 'application/json' };
  const answer = await fetch(`${http}/auth/login`, { method: 'POST', headers, body });
  return ((await answer.json()) as { token: string }).token;
}

/** Plays exchanges one after another: they hand each other what was signed, and the session that was opened last. */
function player({ http }: World, jwt: string) {
  const credentials: Record<string, string> = { ...SECRETS, jwt };
  const sign = signerOf(http);
  return async ({ request }: Exchange): Promise<NonNullable<Exchange['reply']>> => {
    const { body, ...rest } = request;
    const signed = await sign(request.signs);
    const reply = await send(http, { ...rest, ...(body !== undefined && { body: signed(body) }) }, credentials);
    const [, token] = /"token":"([^"]+)"/.exec(reply.body) ?? [];
    if (token !== undefined) credentials['last'] = token;
    return { ...reply, body: normalise(reply.body) };
  };
}

async function send(
  http: string,
  { method, path: target, bearer, headers = {}, body }: Exchange['request'],
  credentials: Readonly<Record<string, string>>,
): Promise<NonNullable<Exchange['reply']>> {
  const response = await fetch(http + target, {
    method,
    headers: {
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...(bearer !== undefined && { authorization: `Bearer ${credentials[bearer] ?? bearer}` }),
      ...headers,
    },
    ...(body !== undefined && { body }),
  });
  const kept = KEPT_HEADERS.flatMap((name) => {
    const value = response.headers.get(name);
    // Counts down while a slow machine plays the exchanges.
    const isWait = name === 'retry-after' && Number(value) > 0 && Number(value) <= 900;
    return value === null ? [] : [[name, isWait ? '<1 to 900>' : value] as const];
  });
  return { status: response.status, headers: Object.fromEntries(kept), body: await response.text() };
}

describe('recorded exchanges of lpf', () => {
  it('exist for every row', () => {
    const rows = lpf.rows.map(({ method, path: target }) => `${method} ${target}`);
    const recorded = files.map((file) => read(file).row);
    expect(new Set(recorded)).toEqual(new Set([...rows, 'the machinery']));
    expect(recorded).toHaveLength(rows.length + 1);
  });

  const changes = ({ exchanges }: Recording): boolean =>
    exchanges.some(({ request }) => !['GET', 'HEAD'].includes(request.method));

  it.each(files.filter((file) => changes(read(file))))('%s', async (file) => {
    await using world = await openWorld();
    await replay(world, file);
  });

  describe('that only read', () => {
    let world: World;
    beforeAll(async () => void (world = await openWorld()));
    afterAll(() => world[Symbol.asyncDispose]());
    it.each(files.filter((file) => !changes(read(file))))('%s', (file) => replay(world, file));
  });
});

async function replay(world: World, file: string): Promise<void> {
  const recording = read(file);
  const jwt = await signIn(world);
  const play = player(world, jwt);
  const played: Exchange[] = [];
  for (const exchange of recording.exchanges) {
    const reply = await play(exchange);
    if (!RECORD) expect(reply, exchange.title).toEqual(exchange.reply);
    played.push({ ...exchange, reply });
  }
  if (RECORD)
    writeFileSync(path.join(FOLDER, file), `${JSON.stringify({ ...recording, exchanges: played }, null, 2)}\n`);
  expect(played.length).toBeGreaterThan(0);
  expect(world.logged.filter((line) => line.includes('"level":50'))).toEqual([]);
}

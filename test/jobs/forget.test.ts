import { afterAll, beforeAll, expect, test } from 'vitest';

import type { Sql, Statement } from '../../src/database/sql.ts';
import { FORGETTING_JOBS } from '../../src/jobs/forget.ts';
import type { JobContext } from '../../src/jobs/job.ts';
import { rotateApiKey } from '../../src/resolvers/apiKeys/rotateApiKey.ts';
import { signIn } from '../../src/resolvers/auth/signIn.ts';
import { signUp } from '../../src/resolvers/auth/signUp.ts';
import { verifyEmail } from '../../src/resolvers/auth/verifyEmail.ts';
import { check } from '../../src/resolvers/ledger/check.ts';
import { contextOf, makeAccount, openTestServices, PASSWORD, type TestServices } from '../harness/context.ts';
import { tokenOf } from '../harness/mailbox.ts';
import { keepMails, sendDue } from '../harness/mailRun.ts';

let services: TestServices;
beforeAll(async () => void (services = await openTestServices()));
afterAll(() => services[Symbol.asyncDispose]());

function forget(name: string): Promise<void> {
  const job = FORGETTING_JOBS.find((found) => found.name === name);
  if (job === undefined) throw new Error(`no job ${name}`);
  return job.run({ db: services.db } as unknown as JobContext, new AbortController().signal);
}

async function count(db: Sql, text: string, values: readonly unknown[]): Promise<number> {
  const [row] = await db.query<{ count: number }>({ name: '', text: `select count(*)::int as count ${text}` }, values);
  return row?.count ?? -1;
}

const change = (text: string, values: readonly unknown[]): Promise<unknown> =>
  services.db.query({ name: '', text }, values);

test('sessions that are over stay for 30 days', async () => {
  const { user } = await makeAccount(services);
  const input = { email: user.email ?? '', password: PASSWORD, kind: 'LPF' } as const;
  for (let i = 0; i < 4; i += 1) await signIn(contextOf(services, null), input);
  const age = `update session set expires_at = now() - $2::interval where id =
    (select id from session where user_id = $1 and expires_at > now() limit 1)`;
  await change(age, [user.id, '31 days']);
  await change(age, [user.id, '29 days']);
  await change(
    `update session set revoked_at = now() - interval '31 days' where id =
      (select id from session where user_id = $1 and expires_at > now() limit 1)`,
    [user.id],
  );
  await forget('forgetSessions');
  expect(await count(services.db, 'from session where user_id = $1', [user.id])).toBe(2);
});

test('replaced secrets stay for 90 days; those that work stay', async () => {
  const { ctx, apiKey } = await makeAccount(services);
  await rotateApiKey(ctx, { id: apiKey.id, graceSeconds: 0 });
  await rotateApiKey(ctx, { id: apiKey.id, graceSeconds: 60 });
  const dead = 'from api_key_secret where key_id = $1 and expires_at < now()';
  expect(await count(services.db, dead, [apiKey.id])).toBe(1);
  await forget('forgetSecrets');
  expect(await count(services.db, 'from api_key_secret where key_id = $1', [apiKey.id])).toBe(3);
  await change(
    `update api_key_secret set expires_at = now() - interval '91 days' where key_id = $1 and expires_at < now()`,
    [apiKey.id],
  );
  await forget('forgetSecrets');
  expect(await count(services.db, 'from api_key_secret where key_id = $1', [apiKey.id])).toBe(2);
});

test('a sign-up that nobody confirmed is forgotten with its links when it expires, and leaves accounts alone', async () => {
  const anonymous = contextOf(services, null, '127.0.0.9');
  const register = (name: string): Promise<unknown> =>
    signUp(anonymous, { username: name, email: `${name}@example.com`, password: PASSWORD, language: 'EN' });
  for (const name of ['forgotten', 'recent', 'confirmed']) await register(name);
  const mailer = keepMails();
  await sendDue(services, mailer);
  const link = tokenOf(mailer.sent.find(({ to }) => to === 'confirmed@example.com')!);
  await verifyEmail(anonymous, link);
  const old = 'update registration set expires_at = clock_timestamp() where username = any($1::text[])';
  await change(old, [['forgotten', 'confirmed']]);
  await forget('forgetRegistrations');
  const left = 'from registration where username = $1';
  for (const name of ['forgotten', 'confirmed']) expect(await count(services.db, left, [name])).toBe(0);
  expect(await count(services.db, left, ['recent'])).toBe(1);
  expect(await count(services.db, 'from mail_token', [])).toBe(1);
  expect(await count(services.db, "from users where username = 'confirmed'", [])).toBe(1);
  expect((await check(services.db)).violations).toEqual([]);
});

test('an expired sign-up neither reserves its name, nor answers to its password', async () => {
  const signUpAs = (email: string): Promise<unknown> =>
    signUp(contextOf(services, null, '127.0.0.10'), { username: 'wanted', email, password: PASSWORD, language: 'EN' });
  await signUpAs('early@example.com');
  await expect(signUpAs('late@example.com')).rejects.toMatchObject({ code: 'USERNAME_TAKEN' });
  await change("update registration set expires_at = clock_timestamp() where username = 'wanted'", []);
  await signUpAs('late@example.com');
  const input = { email: 'early@example.com', password: PASSWORD, kind: 'LPF' } as const;
  await expect(signIn(contextOf(services, null), input)).rejects.toMatchObject({ code: 'INVALID_CREDENTIALS' });
});

test('sent mails are forgotten after an hour, tokens when they expire; unsent mails and good tokens stay', async () => {
  const { user } = await makeAccount(services);
  const mail = `insert into mail_queue (kind, recipient, address, sent_at)
    select 'RESET_PASSWORD', $1, '127.0.0.1', now() - sent from unnest($2::interval[]) as sent`;
  await change(mail, ['kept@example.com', ['61 minutes', '59 minutes', null]]);
  const token = `insert into mail_token (hash, user_id, expires_at)
    select decode(md5(ends::text), 'hex'), $1, now() + ends from unnest($2::interval[]) as ends`;
  await change(token, [user.id, ['-1 second', '1 hour']]);
  await forget('forgetMails');
  await forget('forgetMailTokens');
  const mails = 'from mail_queue where recipient = $1';
  expect(await count(services.db, mails, ['kept@example.com'])).toBe(2);
  expect(await count(services.db, `${mails} and sent_at is null`, ['kept@example.com'])).toBe(1);
  expect(await count(services.db, 'from mail_token where user_id = $1', [user.id])).toBe(1);
});

test('what is to be deleted is found by an index, and rows that somebody holds are left for the next time', async () => {
  const seen: string[] = [];
  const db = {
    ...services.db,
    query: <Row>(statement: Statement, values?: readonly unknown[]): Promise<Row[]> => {
      if (statement.text.startsWith('delete')) seen.push(statement.text);
      return services.db.query<Row>(statement, values);
    },
  };
  for (const job of FORGETTING_JOBS) await job.run({ db } as unknown as JobContext, new AbortController().signal);
  expect(seen).toHaveLength(FORGETTING_JOBS.length);
  for (const text of seen) {
    if (/limit/.test(text)) expect(text).toContain('for update skip locked');
    const plan = await services.db.transaction(async (tx) => {
      await tx.query({ name: '', text: 'set local enable_seqscan = off' }, []);
      await tx.query({ name: '', text: 'set local plan_cache_mode = force_generic_plan' }, []);
      // The numbers of days and rows, whatever they are.
      const explain = `explain ${text.replaceAll('$1', '10').replaceAll('$2', '10')}`;
      return tx.query<Record<string, string>>({ name: '', text: explain }, []);
    });
    const lines = plan.map((line) => Object.values(line).join());
    expect(lines.join('\n')).toMatch(/Index Cond: .*now\(\)/);
  }
});

test('challenges and refusals are among what is forgotten', async () => {
  expect(FORGETTING_JOBS.map(({ name }) => name)).toEqual(
    expect.arrayContaining(['forgetChallenges', 'forgetRefusals']),
  );
  await forget('forgetChallenges');
  await forget('forgetRefusals');
});

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import type { OperationContext, Services } from '../../../src/context.ts';
import type { Sql, Statement } from '../../../src/database/sql.ts';
import { signIn } from '../../../src/resolvers/auth/signIn.ts';
import { signUp } from '../../../src/resolvers/auth/signUp.ts';
import { verifyEmail } from '../../../src/resolvers/auth/verifyEmail.ts';
import { contextOf, PASSWORD } from '../../harness/context.ts';
import { openOffice, OTHER_PASSWORD, type Office } from './office.ts';

const ADDRESSES = ['known@example.com', 'sleep@example.com', 'empty@example.com'] as const;

let office: Office;
/** An address with an account, one with a sign-up that waits for its link, and one that nobody has. */
beforeEach(async () => {
  office = await openOffice();
  await office.register(ADDRESSES[0], { username: 'the known' });
  await verifyEmail(office.client(), await office.mailed());
  await office.register(ADDRESSES[1], { username: 'the sleeping' });
  await office.mailed();
});
afterEach(() => office[Symbol.asyncDispose]());

/** Everything a caller learns, besides time, without the address itself. */
async function learnt(email: string, work: Promise<unknown>): Promise<string> {
  const answer = await work.catch((error: unknown) => ({
    message: String(error),
    ...Object.fromEntries(Object.entries(error ?? {})),
  }));
  return JSON.stringify(answer).replaceAll(email, '<email>');
}

/** The same database, and the names of what is asked of it. */
function counted(ctx: OperationContext): { ctx: OperationContext; statements: string[] } {
  const statements: string[] = [];
  const counting = (db: Sql): Sql => ({
    query: <Row>(statement: Statement, values?: readonly unknown[]) => {
      statements.push(statement.name);
      return db.query<Row>(statement, values);
    },
  });
  const { db } = office.services;
  const services: Services = {
    ...office.services,
    db: { ...db, ...counting(db), transaction: (work) => db.transaction((tx) => work(counting(tx))) },
  };
  return { ctx: contextOf(services, null, ctx.clientAddress), statements };
}

type Step = (ctx: OperationContext, email: string) => Promise<unknown>;
const register =
  (username: string, password: string): Step =>
  (ctx, email) =>
    signUp(ctx, { username, email, password, language: 'EN' });
const registerOther =
  (username: string): Step =>
  (ctx, email) =>
    signUp(ctx, { username, email: `mine.${email}`, password: PASSWORD, language: 'EN' });
const login =
  (password: string): Step =>
  (ctx, email) =>
    signIn(ctx, { email, password, kind: 'GRAPHQL' });

describe('whether an address has an account does not show', () => {
  test.each<[string, readonly ((name: string) => Step)[], readonly string[]]>([
    [
      'one signs up and signs in',
      [(name) => register(name, OTHER_PASSWORD), () => login(OTHER_PASSWORD)],
      ['EMAIL_NOT_VERIFIED'],
    ],
    ['one signs in with a wrong password', [() => login('wrong')], ['INVALID_CREDENTIALS']],
    [
      'one signs up and signs in with another password',
      [(name) => register(name, OTHER_PASSWORD), () => login('wrong')],
      ['INVALID_CREDENTIALS'],
    ],
    [
      'one signs up and asks for the same name with an address of one’s own',
      [(name) => register(name, OTHER_PASSWORD), (name) => registerOther(name.toUpperCase())],
      ['USERNAME_TAKEN'],
    ],
    [
      'one signs up twice with one name',
      [
        (name) => register(name, OTHER_PASSWORD),
        (name) => register(name, 'a third password'),
        () => login(OTHER_PASSWORD),
      ],
      ['INVALID_CREDENTIALS'],
    ],
    ['one asks for the name of somebody', [() => register('The Known', OTHER_PASSWORD)], ['USERNAME_TAKEN']],
  ])('when %s', async (_what, steps, [last]) => {
    const seen = [];
    for (const [index, email] of ADDRESSES.entries()) {
      const client = office.client();
      const { ctx, statements } = counted(client);
      const answers: string[] = [];
      for (const make of steps) answers.push(await learnt(email, make(`name ${index}`)(ctx, email)));
      seen.push({ answers, statements });
    }
    expect(seen[1]).toEqual(seen[0]);
    expect(seen[2]).toEqual(seen[0]);
    expect(JSON.parse(seen[0]!.answers.at(-1)!)).toMatchObject({ code: last });
  });
});

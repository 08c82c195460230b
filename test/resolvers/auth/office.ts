import type { OperationContext } from '../../../src/context.ts';
import { sha256 } from '../../../src/crypto.ts';
import { sql } from '../../../src/database/sql.ts';
import { createSession } from '../../../src/resolvers/auth/createSession.ts';
import { requestPasswordReset } from '../../../src/resolvers/auth/requestPasswordReset.ts';
import { resetPassword } from '../../../src/resolvers/auth/resetPassword.ts';
import { signIn, type SignedIn } from '../../../src/resolvers/auth/signIn.ts';
import { signUp, type SignUpInput } from '../../../src/resolvers/auth/signUp.ts';
import { contextOf, makeAccount, openTestServices, PASSWORD, type TestServices } from '../../harness/context.ts';
import { tokenOf } from '../../harness/mailbox.ts';
import { keepMails, sendDue, type KeptMails } from '../../harness/mailRun.ts';

export const MINUTE_MS = 60_000;
export const OTHER_PASSWORD = 'another long phrase';

/** A server without listeners whose mails are kept, with what people do to it. */
export interface Office extends AsyncDisposable {
  readonly services: TestServices;
  readonly mailer: KeptMails;
  /** Lets time pass for links and for sign-ups, of which the database keeps the time. */
  later(milliseconds: number): Promise<void>;
  /** Nobody, from an address that no other call came from. */
  client(): OperationContext;
  register(email: string, more?: Partial<SignUpInput>): Promise<{ email: string }>;
  login(email: string, password?: string): Promise<SignedIn>;
  reset(token: string, password?: string): Promise<{ email: string }>;
  /** The token of the last mail, after everything queued was sent. */
  mailed(): Promise<string>;
  rows<Row>(text: string, values?: readonly unknown[]): Promise<Row[]>;
  /** What is on record, in order. */
  actions(): Promise<string[]>;
  liveSessions(): Promise<{ id: string }[]>;
  /** A confirmed account with three sessions, and a token that resets its password. */
  forgetful(): Promise<{ email: string; token: string }>;
}

export async function openOffice(): Promise<Office> {
  const services = await openTestServices();
  const mailer = keepMails();
  let clients = 0;
  const client = (): OperationContext => contextOf(services, null, `10.0.${(clients += 1) >> 8}.${clients & 255}`);
  const rows = <Row>(text: string, values: readonly unknown[] = []): Promise<Row[]> =>
    services.db.query<Row>(sql(`test ${sha256(text).toString('hex').slice(0, 16)}`, text), values);
  const mailed = async (): Promise<string> => {
    await sendDue(services, mailer);
    return tokenOf(mailer.sent.at(-1)!);
  };
  return {
    ...{ services, mailer, client, rows, mailed },
    async later(milliseconds) {
      const passed = "interval '1 millisecond' * $1";
      await rows(`update mail_token set expires_at = expires_at - ${passed}`, [milliseconds]);
      await rows(`update registration set expires_at = expires_at - ${passed}, created_at = created_at - ${passed}`, [
        milliseconds,
      ]);
    },
    register: (email, more) =>
      signUp(client(), { username: `${email.split('@')[0]} name`, email, password: PASSWORD, language: 'EN', ...more }),
    login: (email, password = PASSWORD) => signIn(client(), { email, password, kind: 'GRAPHQL' }),
    reset: (token, password = OTHER_PASSWORD) => resetPassword(client(), { token, password }),
    actions: async () =>
      (await rows<{ action: string }>('select action from audit_log order by id')).map(({ action }) => action),
    liveSessions: () => rows('select id from session where revoked_at is null'),
    async forgetful() {
      const { user } = await makeAccount(services);
      const email = user.email ?? '';
      for (let count = 0; count < 3; count += 1) await createSession(client(), user.id, 'GRAPHQL');
      await requestPasswordReset(client(), email);
      return { email, token: await mailed() };
    },
    [Symbol.asyncDispose]: () => services[Symbol.asyncDispose](),
  };
}

/** The code of a refusal, `OK` of a success. */
export const outcome = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'OK',
    (error: Error & { code?: string }) => error.code ?? error.message,
  );

/** How often each text occurs. */
export function tally(texts: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const text of texts) counts[text] = (counts[text] ?? 0) + 1;
  return counts;
}

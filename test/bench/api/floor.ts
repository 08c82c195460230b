import Fastify, { type FastifyReply, type FastifyRequest } from 'fastify';

import { announce, lookupOf, prepared, type Query } from './database.ts';
import * as rest from './restRows.ts';
import * as rows from './rows.ts';
import * as statements from './statements.ts';

/** The floor: fastify and pg, one prepared statement per request, which authenticates as well. */
const app = Fastify();

/** One route: its rows, which are none when the credential is not good, as a body. */
function serve<Row>(query: Query<Row>, path: string, bodyOf: (found: readonly Row[]) => object): void {
  app.get(path, async (request, reply) => {
    const found = await query(lookupOf(request.headers.authorization));
    return found.length === 0 ? refuse(reply) : bodyOf(found);
  });
}

const refuse = (reply: FastifyReply): FastifyReply => reply.code(401).send({ code: 'UNAUTHENTICATED' });

const source = statements.BY_CREDENTIAL;
const viewer = prepared<rows.ViewerRow>('viewer', statements.viewer(source));
const keys = prepared<rows.KeyRow>('keys', statements.keys(source));
const accountAndKeys = prepared<rest.AccountOrKeyRow>('accountAndKeys', statements.accountAndKeys(source));
const transactions = prepared<rows.TransactionRow>('transactions', statements.transactions(source));
const days = prepared<rows.DayRow>('days', statements.days(source));
const daysAndHours = prepared<rows.PeriodRow>('daysAndHours', statements.daysAndHours(source));

const data = (fields: object): object => ({ data: { viewer: fields } });

serve(viewer, '/plain/Q1', ([row]) => data(rows.viewerOf(row!)));
serve(keys, '/plain/Q2', (found) => data({ user: { apiKeyList: found.map(rows.keyOf) } }));
serve(transactions, '/plain/Q3', (found) => data({ user: { transactions: rows.transactionsOf(found) } }));
serve(days, '/plain/Q4', (found) => data({ user: { usageByDay: found.map(rows.dayOf) } }));
serve(viewer, '/usage', ([row]) => rest.remainingOf(row!));
serve(accountAndKeys, '/keys/usage', rest.usageOf);
serve(transactions, '/keys/transactions', rest.transactionsOf);
serve(daysAndHours, '/keys/usage/daily', rest.daysOf);

const limit = prepared<rows.LimitedKeyRow>('limit', statements.limit(source));

async function setLimits(
  request: FastifyRequest,
  id: number,
  limits: readonly (string | number)[],
): Promise<rows.LimitedKeyRow | undefined> {
  const nano = rows.nanoOf(limits);
  const [row] = await limit(lookupOf(request.headers.authorization), id, nano);
  return row === undefined ? undefined : rows.withLimits(row, nano);
}

interface PlainLimits {
  readonly id: number;
  readonly dailyLimit: string;
  readonly weeklyLimit: string;
  readonly monthlyLimit: string;
}
app.post<{ Body: PlainLimits }>('/plain/M1', async (request, reply) => {
  const { id, dailyLimit, weeklyLimit, monthlyLimit } = request.body;
  const row = await setLimits(request, id, [dailyLimit, weeklyLimit, monthlyLimit]);
  return row === undefined ? refuse(reply) : { data: { updateApiKey: { apiKey: rows.keyOf(row) } } };
});

interface RestLimits {
  readonly daily_limit: number;
  readonly weekly_limit: number;
  readonly monthly_limit: number;
}
app.put<{ Body: RestLimits; Params: { id: string } }>('/keys/:id', async (request, reply) => {
  const { daily_limit: day, weekly_limit: week, monthly_limit: month } = request.body;
  const row = await setLimits(request, Number(request.params.id), [day, week, month]);
  return row === undefined ? refuse(reply) : rest.keyOf(row);
});

announce(await app.listen({ host: '127.0.0.1', port: 0 }));

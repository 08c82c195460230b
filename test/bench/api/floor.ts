import Fastify, { type FastifyReply, type FastifyRequest } from 'fastify';

import { announce, lookupOf, prepared } from './database.ts';
import * as rows from './rows.ts';
import * as statements from './statements.ts';

/** The floor: fastify and pg, one prepared statement per request, which authenticates as well. */
const app = Fastify();

/** One route: its rows, which are none when the credential is not good, as a body. */
function serve<Row>(path: string, text: string, bodyOf: (found: readonly Row[]) => object): void {
  const query = prepared<Row>(path, text);
  app.get(path, async (request, reply) => {
    const found = await query(lookupOf(request.headers.authorization));
    return found.length === 0 ? refuse(reply) : bodyOf(found);
  });
}

const refuse = (reply: FastifyReply): FastifyReply => reply.code(401).send({ code: 'UNAUTHENTICATED' });

const source = statements.BY_CREDENTIAL;
const viewer = (fields: object): object => ({ data: { viewer: fields } });
const first = <Row>([row]: readonly Row[]): Row => row!;

serve<rows.ViewerRow>('/plain/Q1', statements.viewer(source), (found) => viewer(rows.viewerOf(first(found))));
serve<rows.KeyRow>('/plain/Q2', statements.keys(source), (found) =>
  viewer({ user: { apiKeyList: found.map(rows.keyOf) } }),
);
serve<rows.TransactionRow>('/plain/Q3', statements.transactions(source), (found) =>
  viewer({ user: { transactions: rows.transactionsOf(found) } }),
);
serve<rows.DayRow>('/plain/Q4', statements.days(source), (found) =>
  viewer({ user: { usageByDay: found.map(rows.dayOf) } }),
);
serve<rows.ViewerRow>('/usage', statements.viewer(source), (found) => rows.restRemainingOf(first(found)));
serve('/keys/usage', statements.accountAndKeys(source), rows.restUsageOf);
serve('/keys/transactions', statements.transactions(source), rows.restTransactionsOf);
serve('/keys/usage/daily', statements.daysAndHours(source), rows.restDaysOf);

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
  return row === undefined ? refuse(reply) : rows.restKeyOf(row);
});

announce(await app.listen({ host: '127.0.0.1', port: 0 }));

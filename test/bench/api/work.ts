/**
 * The five work items, and how each kind of server is asked for them. `GraphQL` is one document, sent alike to
 * our server and to Mercurius; `plain` is a route of the bare handler that answers the very same body; `REST`
 * is a route of the `lpf` dialect, again answered alike by our server and by the bare handler.
 */
export const ITEMS = ['Q1', 'Q2', 'Q3', 'Q4', 'M1'] as const;
export type Item = (typeof ITEMS)[number];
export type Style = 'GraphQL' | 'plain' | 'REST';

/** Who calls: an API key of an account of the seeded database. */
export interface Caller {
  readonly secret: string;
  readonly keyId: number;
}

export interface HttpRequest {
  readonly method: 'GET' | 'POST' | 'PUT';
  readonly path: string;
  readonly body?: string;
}

export const TITLES: Readonly<Record<Item, string>> = {
  Q1: 'balance and remaining',
  Q2: '10 keys, limits and used',
  Q3: '50 transactions, count and total',
  Q4: 'usage by day and product, 30 days',
  M1: "update a key's limits",
};

const WINDOWS = '{ daily { limit used } weekly { limit used } monthly { limit used } }';
const PRODUCT = '{ bytesUp bytesDown credits }';

const DOCUMENTS: Readonly<Record<Item, string>> = {
  Q1: 'query Q1 { viewer { user { balance } remaining } }',
  Q2: `query Q2 { viewer { user { apiKeyList { databaseId name limits ${WINDOWS} } } } }`,
  Q3: `query Q3 { viewer { user { transactions(first: 50) { totalCount totalAmount
    edges { node { databaseId type amount createdAt apiKey { databaseId name } } } } } } }`,
  Q4: `query Q4 { viewer { user { usageByDay(days: 30) {
    date shared ${PRODUCT} dedicated ${PRODUCT} browser ${PRODUCT} credits deposits } } } }`,
  M1: `mutation M1($input: UpdateApiKeyInput!) { updateApiKey(input: $input) {
    ... on UpdateApiKeySuccess { apiKey { databaseId name limits ${WINDOWS} } } } }`,
};

const ROUTES: Readonly<Record<Exclude<Item, 'M1'>, string>> = {
  Q1: '/usage',
  Q2: '/keys/usage',
  Q3: '/keys/transactions?limit=50',
  Q4: '/keys/usage/daily?days=30',
};

/** @param turn varies the limits that M1 sets */
export function requestFor(item: Item, style: Style, { keyId }: Caller, turn: number): HttpRequest {
  const [day, week, month] = [`${1_000 + (turn % 500)}.25`, '5000', '20000'];
  if (style === 'GraphQL') {
    const id = Buffer.from(`ApiKey:${keyId}`).toString('base64');
    const variables =
      item === 'M1' ? { input: { id, dailyLimit: day, weeklyLimit: week, monthlyLimit: month } } : undefined;
    return post('/graphql', { query: DOCUMENTS[item], variables });
  }
  if (style === 'plain') {
    if (item !== 'M1') return { method: 'GET', path: `/plain/${item}` };
    return post('/plain/M1', { id: keyId, dailyLimit: day, weeklyLimit: week, monthlyLimit: month });
  }
  if (item !== 'M1') return { method: 'GET', path: ROUTES[item] };
  const body = { daily_limit: Number(day), weekly_limit: Number(week), monthly_limit: Number(month) };
  return { method: 'PUT', path: `/keys/${keyId}`, body: JSON.stringify(body) };
}

function post(path: string, body: object): HttpRequest {
  return { method: 'POST', path, body: JSON.stringify(body) };
}

/** Numbers in [0, 1) that a seed repeats (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Client errors are answers; anything from 500 on is a fault. */
export const acceptedStatuses = [200, 400, 401, 405, 406, 413, 415, 429];

type Random = () => number;

function pick<Item>(random: Random, items: readonly [Item, ...Item[]]): Item {
  return items[Math.floor(random() * items.length)] ?? items[0];
}

const VALUES = [
  '1',
  '-1',
  '1e400',
  '"x"',
  'null',
  'true',
  'APP',
  '$n',
  '$missing',
  '[1, "a"]',
  '{ text: "t", kind: BUG }',
] as const;
const FIELDS = [
  'hello',
  'repeat',
  'me',
  'user',
  'node',
  'search',
  'fail',
  'mustFail',
  'broken',
  'nope',
  '__typename',
] as const;
const BELOW = ['id', 'name', 'items', 'owner', 'title', 'fail', 'broken', '__typename', 'zz'] as const;
const ARGUMENTS = ['name', 'times', 'kind', 'first', 'id', 'filter', 'zz'] as const;

/** A document that is often valid for the fixture's schema, and often nearly so. */
export function randomDocument(random: Random): string {
  const kind = pick(random, ['query', 'query', 'query', 'mutation', 'subscription']);
  const head = pick(random, ['', `${kind} Q($n: Int) `, 'query Q($n: Int!, $n: Boolean) ']);
  const fragment =
    random() < 0.3 ? ` fragment F on ${pick(random, ['User', 'Item', 'Nope'])} ${selections(random, 3, BELOW)}` : '';
  return head + selections(random, 0, kind === 'mutation' && head !== '' ? ['bump', 'fail'] : FIELDS) + fragment;
}

function selections(random: Random, depth: number, fields: readonly [string, ...string[]]): string {
  const count = 1 + Math.floor(random() * 3);
  const parts = Array.from({ length: count }, () => {
    if (depth > 0 && random() < 0.1) return pick(random, ['...F', '... on User { id }', '... { id }']);
    const name = pick(random, fields);
    const alias = random() < 0.1 ? `${pick(random, ['a', 'b', 'hello'])}: ` : '';
    const below = needsSelection(name) !== random() < 0.05 && depth < 14 ? selections(random, depth + 1, BELOW) : '';
    return `${alias}${name}${argumentsOf(random, name)}${random() < 0.05 ? ' @skip(if: $n)' : ''} ${below}`;
  });
  return `{ ${parts.join(' ')} }`;
}

function needsSelection(name: string): boolean {
  return ['me', 'user', 'node', 'search', 'items', 'owner'].includes(name);
}

function argumentsOf(random: Random, name: string): string {
  if (name === 'fail' || name === 'mustFail')
    return `(kind: ${pick(random, ['APP', 'BUG', 'PLAIN', 'REJECTED', 'THROTTLED'])})`;
  return random() < 0.15 ? `(${pick(random, ARGUMENTS)}: ${pick(random, VALUES)})` : '';
}

const NOISE = [
  '{',
  '}',
  '(',
  ')',
  '...',
  '@',
  '$',
  '!',
  '"',
  '"""',
  '\\',
  '\u0000',
  '😀',
  '#',
  ':',
  '[',
  'fragment',
  'on',
] as const;

/** Sends most documents as they are; breaks the text or the parameters of the others. */
export function mutate(random: Random, params: { query: string; variables: unknown }): unknown {
  const { query } = params;
  const at = Math.floor(random() * query.length);
  return pick(random, [
    () => params,
    () => params,
    () => ({ query }),
    () => ({ query: query.slice(0, at) + pick(random, NOISE) + query.slice(at) }),
    () => ({ query: query.slice(0, at) + query.slice(at + 1 + Math.floor(random() * 5)) }),
    () => ({ query, variables: { n: pick<unknown>(random, [null, 'x', [], {}, 1e99, true]) } }),
    () => ({ query, operationName: pick<unknown>(random, ['Q', 'Z', '', 4]) }),
    () => pick<unknown>(random, [[params], { ...params, extra: 1 }, { query: [query] }, null, query]),
  ])();
}

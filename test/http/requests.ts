/** Requests, good and bad, that every path must answer alike. */
export interface Case {
  readonly name: string;
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

const json = (params: unknown, headers: Record<string, string> = {}): Omit<Case, 'name'> => ({
  method: 'POST',
  headers: { 'content-type': 'application/json', ...headers },
  body: JSON.stringify(params),
});

const DOCUMENTS: Readonly<Record<string, unknown>> = {
  hello: { query: '{ hello }' },
  argument: { query: '{ hello(name: "é \\u2028 🌍") }' },
  variables: { query: 'query Q($n: String) { hello(name: $n) }', variables: { n: 'x' } },
  'null variables': { query: '{ hello }', variables: null, operationName: null, extensions: null },
  'absent variable': { query: 'query Q($n: String) { hello(name: $n) }' },
  'default variable': { query: 'query Q($n: String = "d") { hello(name: $n) }' },
  'null for a default': { query: 'query Q($n: Int = 2) { repeat(times: $n) }', variables: { n: null } },
  'variable of a wrong type': { query: 'query Q($n: Int) { repeat(times: $n) }', variables: { n: 'x' } },
  'missing variable': { query: 'query Q($n: Int!) { repeat(times: $n) }' },
  'unknown enum value': { query: 'query Q($k: Kind!) { fail(kind: $k) }', variables: { k: 'NONE' } },
  'input object': {
    query: 'query Q($f: Filter) { search(filter: $f) { __typename } }',
    variables: { f: { text: 't' } },
  },
  'bad input object': {
    query: 'query Q($f: Filter) { search(filter: $f) { __typename } }',
    variables: { f: { kind: 1, x: 2 } },
  },
  aliases: { query: '{ a: hello b: hello(name: "b") user { x: name y: name } }' },
  fragments: {
    query: '{ user { ...F } } fragment F on User { id items(first: 2) { ...G } } fragment G on Item { id title }',
  },
  'inline fragments': { query: '{ search { __typename ... on User { name } ... on Item { title } } }' },
  interface: { query: '{ node(id: "u1") { __typename id ... on User { name } } other: node(id: "i") { id } }' },
  'skip and include': {
    query: 'query Q($a: Boolean!) { hello @skip(if: $a) user @include(if: $a) { id } }',
    variables: { a: true },
  },
  typename: { query: '{ __typename }' },
  introspection: { query: '{ __schema { queryType { name } types { name kind } } __type(name: "User") { name } }' },
  mutation: { query: 'mutation { bump(by: 3) other: bump }' },
  'failing mutation': { query: 'mutation { bump(by: 3) fail(kind: BUG) }' },
  'several operations': { query: 'query A { hello } query B { user { id } }', operationName: 'B' },
  'no operation name': { query: 'query A { hello } query B { user { id } }' },
  'unknown operation name': { query: 'query A { hello }', operationName: 'Z' },
  'empty operation name': { query: '{ hello }', operationName: '' },
  'app error': { query: '{ hello fail(kind: APP) }' },
  'throttled error': { query: '{ fail(kind: THROTTLED) }' },
  'rejected promise': { query: '{ fail(kind: REJECTED) }' },
  'plain GraphQL error': { query: '{ fail(kind: PLAIN) }' },
  bug: { query: '{ hello fail(kind: BUG) }' },
  'non-null failure': { query: '{ hello mustFail(kind: APP) }' },
  'non-null bug': { query: '{ mustFail(kind: BUG) }' },
  'null in a list': { query: '{ user { items(first: 7) { id title } } }' },
  'failing items': { query: '{ user { items(first: 3) { id fail(kind: APP) } } }' },
  'two failures': { query: '{ a: fail(kind: APP) b: fail(kind: REJECTED) }' },
  'bad leaf': { query: '{ broken }' },
  'bad leaf below': { query: '{ user { items(first: 2) { broken } } }' },
  'deep failure': { query: '{ user { items(first: 1) { owner { fail(kind: APP) } } } }' },
  anonymous: { query: '{ me { id } }' },
  'syntax error': { query: '{ hello' },
  'empty document': { query: '' },
  'only a comment': { query: '# nothing' },
  'unknown field': { query: '{ hallo }' },
  'many unknown fields': { query: '{ a1 a2 a3 a4 a5 a6 a7 a8 }' },
  'missing argument': { query: '{ fail }' },
  'missing selection': { query: '{ user }' },
  'fragment cycle': { query: '{ user { ...F } } fragment F on User { items { owner { ...F } } }' },
  'only fragments': { query: 'fragment F on User { id }' },
  'type definition': { query: 'type A { a: Int }' },
  'too costly': { query: '{ user { items(first: 1000) { owner { items(first: 1000) { id } } } } }' },
  'too costly by variable': {
    query: 'query Q($n: Int) { user { items(first: $n) { owner { items(first: $n) { id } } } } }',
    variables: { n: 5000 },
  },
  'too deep': { query: `{ user { ${'items { owner { '.repeat(6)} id ${'} } '.repeat(6)} } }` },
  'too many aliases': { query: `{ ${Array.from({ length: 31 }, (_, index) => `a${index}: hello`).join(' ')} }` },
  'too many tokens': { query: `{ ${'hello '.repeat(2_100)} }` },
  'too many root fields': { query: `{ ${Array.from({ length: 21 }, (_, index) => `a${index}: hello`).join(' ')} }` },
  'too many directives': { query: `{ hello ${'@include(if: true) '.repeat(60)} }` },
  'subscription without a stream': { query: 'subscription { tick(count: 1) }' },
  batch: [{ query: '{ hello }' }, { query: '{ hello }' }],
  'empty batch': [],
  'no query': { variables: {} },
  'query of a wrong type': { query: { a: 1 } },
  'operationName of a wrong type': { query: '{ hello }', operationName: 1 },
  'variables of a wrong type': { query: '{ hello }', variables: 'x' },
  'variables as a list': { query: '{ hello }', variables: [1] },
  'extensions of a wrong type': { query: '{ hello }', extensions: 4 },
  'unknown parameter': { query: '{ hello }', id: 'x' },
  'unknown null parameter': { query: '{ hello }', id: null },
  'proto parameter': JSON.parse('{ "query": "{ hello }", "__proto__": { "a": 1 } }'),
  null: null,
  number: 4,
  string: 'x',
};

const STANDARD = 'application/graphql-response+json';

const TRANSPORT: readonly Case[] = [
  { name: 'broken JSON', method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"query": ' },
  { name: 'no body', method: 'POST', headers: { 'content-type': 'application/json' }, body: '' },
  {
    name: 'not UTF-8 charset',
    ...json({ query: '{ hello }' }, { 'content-type': 'application/json; charset=utf-16' }),
  },
  { name: 'UTF-8 charset', ...json({ query: '{ hello }' }, { 'content-type': 'application/json; charset="UTF-8"' }) },
  { name: 'no content type', method: 'POST', body: '{"query":"{hello}"}' },
  { name: 'form', ...json({}, { 'content-type': 'application/x-www-form-urlencoded' }), body: 'query={hello}' },
  { name: 'plain text', ...json({ query: '{ hello }' }, { 'content-type': 'text/plain' }) },
  { name: 'multipart', ...json({ query: '{ hello }' }, { 'content-type': 'multipart/form-data; boundary=x' }) },
  { name: 'graphql text', ...json({}, { 'content-type': 'application/graphql' }), body: '{ hello }' },
  { name: 'compressed', ...json({ query: '{ hello }' }, { 'content-encoding': 'gzip' }) },
  { name: 'too large', ...json({ query: `{ hello } #${'x'.repeat(300_000)}` }) },
  { name: 'accepts html only', ...json({ query: '{ hello }' }, { accept: 'text/html' }) },
  { name: 'accepts another charset', ...json({ query: '{ hello }' }, { accept: 'application/json; charset=latin1' }) },
  { name: 'accepts both', ...json({ query: '{ hallo }' }, { accept: `${STANDARD}, application/json;q=0.9` }) },
  { name: 'accepts json first', ...json({ query: '{ hallo }' }, { accept: `application/json, ${STANDARD}` }) },
  { name: 'accepts all', ...json({ query: '{ hello }' }, { accept: '*/*' }) },
  {
    name: 'accepts like urql',
    ...json({ query: '{ hello }' }, { accept: `${STANDARD}, text/event-stream, multipart/mixed` }),
  },
  { name: 'good credential', ...json({ query: '{ me { id } }' }, { authorization: 'Bearer lpf_good' }) },
  { name: 'bad credential', ...json({ query: '{ hello }' }, { authorization: 'Bearer lpf_bad' }) },
  { name: 'bad credential, bad document', ...json({ query: '{ hallo }' }, { authorization: 'Bearer lpf_bad' }) },
  { name: 'throttled credential', ...json({ query: '{ hello }' }, { authorization: 'Bearer lpf_throttled' }) },
  { name: 'basic credential', ...json({ query: '{ hello }' }, { authorization: 'Basic eDp5' }) },
  { name: 'empty bearer', ...json({ query: '{ hello }' }, { authorization: 'Bearer ' }) },
  {
    name: 'bad credential, standard type',
    ...json({ query: '{ hello }' }, { authorization: 'Bearer x', accept: STANDARD }),
  },
  { name: 'GET', path: '?query={hello}' },
  { name: 'GET with variables', path: '?query=query($n:String){hello(name:$n)}&variables={"n":"v"}' },
  { name: 'GET with bad variables', path: '?query={hello}&variables={' },
  { name: 'GET of a mutation', path: '?query=mutation{bump}' },
  { name: 'GET of a subscription', path: '?query=subscription{tick(count:1)}' },
  { name: 'GET of nothing' },
  { name: 'GET with an unknown parameter', path: '?query={hello}&utm=1' },
  { name: 'PUT', ...json({ query: '{ hello }' }), method: 'PUT' },
  { name: 'DELETE', method: 'DELETE' },
  { name: 'OPTIONS', method: 'OPTIONS' },
  { name: 'PATCH', ...json({ query: '{ hello }' }), method: 'PATCH' },
];

/** Every document with both JSON types, then faults of the transport. */
export const CASES: readonly Case[] = [
  ...Object.entries(DOCUMENTS).flatMap(([name, params]) => [
    { name, ...json(params) },
    { name: `${name} (${STANDARD})`, ...json(params, { accept: STANDARD }) },
  ]),
  ...TRANSPORT,
];

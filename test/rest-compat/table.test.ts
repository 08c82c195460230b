import { describe, expect, it } from 'vitest';

import { instant, nullable, text } from '../../rest-compat/codecs.ts';
import { bigint, credits, flag, integer, numericId } from '../../rest-compat/numbers.ts';
import {
  CreateApiKeyDocument,
  ListApiKeysDocument,
  ListTransactionsDocument,
  RevokeApiKeyDocument,
  ShowApiKeyDocument,
  UpdateApiKeyDocument,
} from '../../rest-compat/operations.generated.ts';
import { each, field, inside, keyed, orEmpty, orNull, shapeOf, within } from '../../rest-compat/shapes.ts';
import { body, constant, optional, param, query } from '../../rest-compat/sources.ts';
import { route } from '../../rest-compat/table.ts';

const facts = { method: 'GET', path: '/x', tag: 't', summary: 's' } as const;
const id = param('id', numericId('ApiKey'));
const name = body('name', text);

/** Each of these mistakes must be one for the compiler: `npm run check` fails on an unused `@ts-expect-error`. */
const mistakes = [
  () => {
    // @ts-expect-error -- the variable `id` is missing
    route({ ...facts, operation: ShowApiKeyDocument, variables: {}, at: ['apiKey'], reply: {} });
  },
  () => {
    // @ts-expect-error -- a field of the input object is missing
    route({ ...facts, operation: CreateApiKeyDocument, variables: { input: {} }, at: ['createApiKey'], reply: {} });
  },
  () => {
    const at = ['apiKey'] as const;
    // @ts-expect-error -- there is no variable `key`
    route({ ...facts, operation: ShowApiKeyDocument, variables: { id, key: id }, at, reply: {} });
  },
  () => {
    // @ts-expect-error -- an id is not plain text
    route({ ...facts, operation: ShowApiKeyDocument, variables: { id: param('id', text) }, at: ['apiKey'], reply: {} });
  },
  () => {
    const input = { name, dailyLimit: optional(body('daily_limit', text)) };
    // @ts-expect-error -- credits are not plain text
    route({ ...facts, operation: CreateApiKeyDocument, variables: { input }, at: ['createApiKey'], reply: {} });
  },
  () => {
    const input = { name: optional(name) };
    // @ts-expect-error -- a required input field cannot be optional
    route({ ...facts, operation: CreateApiKeyDocument, variables: { input }, at: ['createApiKey'], reply: {} });
  },
  () => {
    const type = optional(query('type', text));
    // @ts-expect-error -- an enum wants its members, not any text
    route({ ...facts, operation: ListTransactionsDocument, variables: { type }, at: ['viewer'], reply: {} });
  },
  () => {
    const type = constant('GIFT');
    // @ts-expect-error -- GIFT is no member of the enum
    route({ ...facts, operation: ListTransactionsDocument, variables: { type }, at: ['viewer'], reply: {} });
  },
  () => {
    // @ts-expect-error -- the operation has no field `apiKeys`
    route({ ...facts, operation: ShowApiKeyDocument, variables: { id }, at: ['apiKeys'], reply: {} });
  },
  () => {
    const reply = { uuid: field('uuid', text) };
    // @ts-expect-error -- the operation does not select `uuid`
    route({ ...facts, operation: ShowApiKeyDocument, variables: { id }, at: ['apiKey'], reply });
  },
  () => {
    const reply = { deep: { created: field('createdAt', text) } };
    // @ts-expect-error -- a date is not plain text
    route({ ...facts, operation: ShowApiKeyDocument, variables: { id }, at: ['apiKey'], reply });
  },
  () => {
    const reply = { used: field('lastUsedAt', instant) };
    // @ts-expect-error -- the date may be null
    route({ ...facts, operation: ShowApiKeyDocument, variables: { id }, at: ['apiKey'], reply });
  },
  () => {
    const reply = { limit: inside('limits', inside('daily', field('limit', nullable(bigint)))) };
    // @ts-expect-error -- the limit is credits, not an integer
    route({ ...facts, operation: ShowApiKeyDocument, variables: { id }, at: ['apiKey'], reply });
  },
  () => {
    const reply = { keys: each('apiKeyList', { active: field('active', text) }) };
    // @ts-expect-error -- a boolean is not text, in a list either
    route({ ...facts, operation: ListApiKeysDocument, variables: {}, at: ['viewer', 'user'], reply });
  },
  () => {
    const reply = { key: field('secret', text) };
    const input = { id };
    // @ts-expect-error -- the success of this mutation has no secret
    route({ ...facts, operation: UpdateApiKeyDocument, variables: { input }, at: ['updateApiKey'], reply });
  },
];

describe('route', () => {
  it('lets the compiler refuse wrong rows', () => {
    expect(mistakes).toHaveLength(15);
  });

  it('keeps what the interpreters need', () => {
    const operation = RevokeApiKeyDocument;
    const row = route({ ...facts, operation, variables: { input: { id } }, at: ['revokeApiKey'], reply: { ok: true } });
    expect(row).toMatchObject({ access: 'bearer', status: 200, errors: [], at: ['revokeApiKey'], operation });
    expect(row.reply.write({} as never)).toBe('{"ok":true}');
  });
});

describe('shapes', () => {
  it('write what they say, in its order', () => {
    const shape = shapeOf({
      fixed: 'a"b',
      none: null,
      empty: {},
      nested: { n: field('n', integer(0, 9)) },
      ...within('part', { on: field('on', flag), both: { again: field('on', flag) } }),
      list: each('items', { t: field('t', text) }),
      map: keyed('items', ['t', text], field('t', text)),
      absent: orNull('nothing', field('t', text)),
      present: orNull('part', field('on', flag)),
    });
    const items = [{ t: 'x' }, { t: 'é\u2028"' }];
    const written = shape.write({ n: 7, part: { on: true }, items, nothing: null });
    expect(written).toBe(
      '{"fixed":"a\\"b","none":null,"empty":{},"nested":{"n":7},"on":1,"both":{"again":1},' +
        '"list":[{"t":"x"},{"t":"é\u2028\\""}],"map":{"x":"x","é\u2028\\"":"é\u2028\\""},"absent":null,"present":1}',
    );
    expect(Object.keys(JSON.parse(written) as object)).toHaveLength(10);
  });

  it('write {} in place of an object that is null', () => {
    const shape = shapeOf({
      some: orEmpty('some', { on: field('on', flag) }),
      none: orEmpty('none', { t: field('t', text) }),
    });
    expect(shape.write({ some: { on: true }, none: null })).toBe('{"some":{"on":1},"none":{}}');
    expect(shape.schema).toMatchObject({
      properties: { none: { type: 'object', properties: { t: { type: 'string' } } } },
    });
    expect(shape.schema).not.toHaveProperty('properties.none.required');
  });

  it('describe themselves', () => {
    const { schema } = shapeOf({ money: field('m', credits), list: each('items', { ok: true }) });
    expect(schema).toEqual({
      type: 'object',
      required: ['money', 'list'],
      properties: {
        money: { type: 'number' },
        list: {
          type: 'array',
          items: { type: 'object', required: ['ok'], properties: { ok: { type: 'boolean', enum: [true] } } },
        },
      },
    });
  });
});

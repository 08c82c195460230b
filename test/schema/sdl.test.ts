import { readFile } from 'node:fs/promises';
import path from 'node:path';

import {
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isObjectType,
  lexicographicSortSchema,
  printSchema,
  type GraphQLNamedType,
} from 'graphql';
import { expect, test } from 'vitest';

import { ERROR_CODES, REFUSAL_CODES } from '../../src/errors.ts';
import { schema } from '../../src/schema/index.ts';

const types = Object.values(schema.getTypeMap()).filter(({ name }) => !name.startsWith('__'));
const BUILT_IN = new Set(['String', 'Int', 'Float', 'Boolean', 'ID']);

interface Described {
  readonly name: string;
  readonly description?: string | null | undefined;
}

/** Everything in a type that can have a description, with its path. */
function describable(type: GraphQLNamedType): [string, Described][] {
  const found: [string, Described][] = [[type.name, type]];
  if (isEnumType(type))
    found.push(...type.getValues().map((value): [string, Described] => [`${type.name}.${value.name}`, value]));
  if (isInputObjectType(type)) {
    found.push(
      ...Object.values(type.getFields()).map((field): [string, Described] => [`${type.name}.${field.name}`, field]),
    );
  }
  if (isObjectType(type) || isInterfaceType(type)) {
    for (const field of Object.values(type.getFields())) {
      found.push([`${type.name}.${field.name}`, field]);
      found.push(...field.args.map((arg): [string, Described] => [`${type.name}.${field.name}(${arg.name})`, arg]));
    }
  }
  return found;
}

test('every type, field, argument and value says what it is', () => {
  const silent = types
    .filter(({ name }) => !BUILT_IN.has(name))
    .flatMap(describable)
    .filter(([, { description }]) => (description ?? '').trim() === '');
  expect(silent.map(([where]) => where)).toEqual([]);
});

test('schema.graphql is current', async () => {
  const committed = await readFile(path.join(import.meta.dirname, '../../schema.graphql'), 'utf8');
  expect(committed).toBe(`${printSchema(lexicographicSortSchema(schema))}\n`);
});

test('every mutation takes one input and answers a union of its success and errors', () => {
  const fields = Object.values(schema.getMutationType()?.getFields() ?? {});
  const named = fields.map(({ name, args, type }) => `${name}(${args.map((arg) => arg.name).join()}): ${String(type)}`);
  expect(named).toEqual(
    fields.map(({ name }) => `${name}(input): ${name.charAt(0).toUpperCase()}${name.slice(1)}Result!`),
  );
  const errors = schema.getPossibleTypes(schema.getType('Error') as Parameters<typeof schema.getPossibleTypes>[0]);
  for (const { name } of fields) {
    const operation = `${name.charAt(0).toUpperCase()}${name.slice(1)}`;
    const union = schema.getType(`${operation}Result`) as Parameters<typeof schema.getPossibleTypes>[0];
    const others = schema.getPossibleTypes(union).filter((member) => !errors.includes(member));
    expect(others.map((member) => member.name)).toEqual([`${operation}Success`]);
  }
});

test('the codes are those of the catalogue', () => {
  const values = (name: string): string[] => {
    const type = schema.getType(name);
    return isEnumType(type) ? type.getValues().map((value) => value.name) : [];
  };
  expect(values('ErrorCode').toSorted()).toEqual(ERROR_CODES.toSorted());
  expect(values('RefusalCode').toSorted()).toEqual(REFUSAL_CODES.toSorted());
});

import { asText, onString, type Codec } from './codec.ts';
import { isObject, memberOf, namesOf, type Json } from './json.ts';
import type { DateText, DateTimeText } from './scalars.ts';

/** Most text goes into JSON as it is; looking costs a third of `JSON.stringify`. */
const NEEDS_ESCAPE = /[^ !#-[\]-~\u00a0-\ud7ff]/;
/** Any text: what it may hold is for the operation to say. */
export const text: Codec<string> = onString({
  expects: 'text',
  readText: (value) => value,
  write: (value) => (NEEDS_ESCAPE.test(value) ? JSON.stringify(value) : `"${value}"`),
  schema: { type: 'string' },
});

export const boolean: Codec<boolean> = {
  expects: 'boolean',
  read: (json) => (typeof json === 'boolean' ? json : undefined),
  readText: (value) => (value === 'true' ? true : value === 'false' ? false : undefined),
  write: (value) => (value ? 'true' : 'false'),
  schema: { type: 'boolean' },
};

const SECONDS = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;

/** Instant in whole seconds, UTC: `2026-03-28T12:00:00Z`. */
export const instant: Codec<DateTimeText> = onString({
  expects: 'date',
  readText: (value) => (SECONDS.test(value) ? (value as unknown as DateTimeText) : undefined),
  write: (value) => `"${asText(value).slice(0, 19)}Z"`,
  schema: { type: 'string', format: 'date-time' },
});

/** Calendar day: `2026-03-28`. */
export const day: Codec<DateText> = onString({
  expects: 'date',
  readText: (value) => (/^\d{4}-\d\d-\d\d$/.test(value) ? (value as unknown as DateText) : undefined),
  write: (value) => `"${asText(value)}"`,
  schema: { type: 'string', format: 'date' },
});

/** Members of a GraphQL enum under the dialect's words. */
export function choice<const Words extends Readonly<Record<string, string>>>(words: Words): Codec<keyof Words> {
  const members = new Map(Object.entries(words).map(([member, word]) => [word, member as keyof Words]));
  const written = new Map(Object.entries(words).map(([member, word]) => [member as keyof Words, JSON.stringify(word)]));
  return onString<keyof Words>({
    expects: 'choice',
    readText: (value) => members.get(value),
    write: (value) => written.get(value) ?? 'null',
    schema: { type: 'string', enum: Object.values(words) },
  });
}

/** A JSON object of booleans under some of these names, and no others; no text stands for it. */
export function flags<const Name extends string>(...names: Name[]): Codec<{ readonly [N in Name]?: boolean }> {
  const known = new Set<string>(names);
  const read = (json: Json): { readonly [N in Name]?: boolean } | undefined => {
    if (!isObject(json)) return undefined;
    const members = namesOf(json).map((name) => [name, memberOf(json, name)] as const);
    const fits = members.every(([name, value]) => known.has(name) && typeof value === 'boolean');
    return fits ? (Object.fromEntries(members) as { readonly [N in Name]?: boolean }) : undefined;
  };
  return {
    expects: 'flags',
    read,
    readText: () => undefined,
    write: (value) => JSON.stringify(value),
    schema: {
      type: 'object',
      properties: Object.fromEntries(names.map((name) => [name, boolean.schema])),
      additionalProperties: false,
    },
  };
}

/** The same, or `null`. */
export function nullable<Value>(codec: Codec<Value>): Codec<Value | null> {
  return {
    ...codec,
    read: (json) => (json === null ? null : codec.read(json)),
    readText: codec.readText,
    write: (value) => (value === null ? 'null' : codec.write(value)),
    schema: { ...codec.schema, nullable: true },
  };
}

/** A JSON array; as text, separated by commas. */
export function list<Value>(codec: Codec<Value>): Codec<readonly Value[]> {
  const all = (values: readonly (Value | undefined)[]): readonly Value[] | undefined =>
    values.every((value) => value !== undefined) ? values : undefined;
  return {
    expects: codec.expects,
    read: (json) => (Array.isArray(json) ? all(json.map(codec.read)) : undefined),
    readText: (value) => all(value.split(',').map(codec.readText)),
    write: (values) => `[${values.map(codec.write).join(',')}]`,
    schema: { type: 'array', items: codec.schema },
  };
}

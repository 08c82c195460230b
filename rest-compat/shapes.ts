import type { Codec, Schema } from './codec.ts';

/** A piece of a reply: writes JSON text from the part of the GraphQL data it needs. */
export class Piece<in Data> {
  readonly write: (data: Data) => string;
  readonly schema: Schema;

  constructor(write: (data: Data) => string, schema: Schema) {
    this.write = write;
    this.schema = schema;
  }
}

/** A reply: pieces and constants in the nesting of the JSON object. */
export type Shape = Piece<never> | string | number | boolean | null | ShapeObject;
interface ShapeObject {
  readonly [name: string]: Shape;
}

/** What the data must have for a shape to be written. */
export type Needs<S> =
  S extends Piece<infer Data>
    ? Data
    : S extends ShapeObject
      ? { [Name in keyof S]: (data: Needs<S[Name]>) => void }[keyof S] extends (data: infer Data) => void
        ? Data
        : unknown
      : unknown;

/** A field of the data. */
export function field<Name extends string, Value>(
  name: Name,
  codec: Codec<Value>,
): Piece<{ readonly [N in Name]: Value }> {
  return new Piece((data) => codec.write(data[name]), codec.schema);
}

/** A shape over an object of the data. */
export function inside<Name extends string, S extends Shape>(
  name: Name,
  shape: S,
): Piece<{ readonly [N in Name]: Needs<S> }> {
  const { write, schema } = compile(shape);
  return new Piece((data: unknown) => write(memberOf(data, name)), schema);
}

/** The members of a shape over an object of the data, to be spread among members from elsewhere. */
export function within<Name extends string, const S extends ShapeObject>(
  name: Name,
  members: S,
): { readonly [M in keyof S]: Piece<{ readonly [N in Name]: Needs<S[M]> }> } {
  const pieces = Object.entries(members).map(([member, shape]) => [member, inside(name, shape)]);
  return Object.fromEntries(pieces) as { readonly [M in keyof S]: Piece<{ readonly [N in Name]: Needs<S[M]> }> };
}

/** A shape over an object of the data, or `null` when that is null. */
export function orNull<Name extends string, S extends Shape>(
  name: Name,
  shape: S,
): Piece<{ readonly [N in Name]: Needs<S> | null }> {
  const { write, schema } = compile(shape);
  const writeOrNull = (value: unknown): string => (value === null ? 'null' : write(value));
  return new Piece((data: unknown) => writeOrNull(memberOf(data, name)), { ...schema, nullable: true });
}

/** A shape over an object of the data, or `{}` when that is null. */
export function orEmpty<Name extends string, S extends ShapeObject>(
  name: Name,
  shape: S,
): Piece<{ readonly [N in Name]: Needs<S> | null }> {
  const { write, schema } = compile(shape);
  const writeOrEmpty = (value: unknown): string => (value === null ? '{}' : write(value));
  const { required: _required, ...optional } = schema;
  return new Piece((data: unknown) => writeOrEmpty(memberOf(data, name)), optional);
}

/** A JSON array: the shape for each item of a list. */
export function each<Name extends string, S extends Shape>(
  name: Name,
  shape: S,
): Piece<{ readonly [N in Name]: readonly Needs<S>[] }> {
  const { write, schema } = compile(shape);
  return new Piece((data: unknown) => `[${itemsOf(data, name).map(write).join(',')}]`, {
    type: 'array',
    items: schema,
  });
}

/** A JSON object with one member per item of a list, named by the item's field `key`. */
export function keyed<Name extends string, Key extends string, Value, S extends Shape>(
  name: Name,
  [key, codec]: readonly [name: Key, codec: Codec<Value>],
  shape: S,
): Piece<{ readonly [N in Name]: readonly (Needs<S> & { readonly [K in Key]: Value })[] }> {
  const [keys, members] = [compile(field(key, codec)), compile(shape)];
  const write = (item: unknown): string => `${keys.write(item)}:${members.write(item)}`;
  const schema = { type: 'object', additionalProperties: members.schema };
  return new Piece((data: unknown) => `{${itemsOf(data, name).map(write).join(',')}}`, schema);
}

/** Specialises the writing of a shape: constants and member names become text once, not per request. */
export function shapeOf<S extends Shape>(shape: S): Piece<Needs<S>> {
  return compile(shape);
}

// From here on data are `unknown`: the types above have said what a shape needs of them.

function memberOf(data: unknown, name: string): unknown {
  return (data as Readonly<Record<string, unknown>>)[name];
}

function itemsOf(data: unknown, name: string): readonly unknown[] {
  return memberOf(data, name) as readonly unknown[];
}

function compile(shape: Shape): Piece<unknown> {
  if (shape instanceof Piece) return shape as Piece<unknown>;
  return typeof shape === 'object' && shape !== null ? compileObject(shape) : compileConstant(shape);
}

function compileObject(shape: ShapeObject): Piece<unknown> {
  const members = Object.entries(shape).map(([name, member]) => [name, compile(member)] as const);
  if (members.length === 0) return new Piece(() => '{}', { type: 'object' });
  const parts = members.map(
    ([name, { write }], index) => [`${index === 0 ? '{' : ','}${JSON.stringify(name)}:`, write] as const,
  );
  const write = (data: unknown): string => {
    let text = '';
    for (const [prefix, writeMember] of parts) text += prefix + writeMember(data);
    return `${text}}`;
  };
  const properties = Object.fromEntries(members.map(([name, { schema }]) => [name, schema]));
  return new Piece(write, { type: 'object', properties, required: Object.keys(properties) });
}

function compileConstant(value: string | number | boolean | null): Piece<unknown> {
  const text = JSON.stringify(value);
  const type = typeof value === 'object' ? 'string' : typeof value;
  return new Piece(() => text, value === null ? { type, nullable: true } : { type, enum: [value] });
}

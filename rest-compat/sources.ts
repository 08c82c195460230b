import type { Codec, Expectation, Schema } from './codec.ts';
import { memberOf, type Json } from './json.ts';
import type { ScalarText } from './scalars.ts';

/** A request, taken apart. */
export interface RequestParts {
  readonly path: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Json;
}

/** What a dialect says about a source. */
export interface SourceFacts {
  readonly place: 'body' | 'query' | 'path' | 'header' | 'constant';
  /** As the dialect calls it; empty for a constant. */
  readonly name: string;
  readonly required: boolean;
  readonly expects: Expectation;
  readonly schema: Schema;
  /** Sentence for OpenAPI. */
  readonly about?: string | undefined;
  readonly segment?: RegExp | undefined;
}

/** Why a request cannot be turned into variables. */
export class InputFault {
  readonly facts: SourceFacts;
  /** Not there at all; otherwise it does not fit. */
  readonly missing: boolean;

  constructor(facts: SourceFacts, missing: boolean) {
    this.facts = facts;
    this.missing = missing;
  }
}

/** Where a variable comes from. */
export class Source<Value> {
  readonly facts: SourceFacts;
  readonly read: (request: RequestParts) => Value | InputFault;

  constructor(facts: SourceFacts, read: (request: RequestParts) => Value | InputFault) {
    this.facts = facts;
    this.read = read;
  }
}

type Found<Value> = (request: RequestParts) => { readonly value: Value | undefined } | undefined;

function source<Value>(
  place: 'body' | 'query' | 'path' | 'header',
  [name, codec, about]: readonly [name: string, codec: Codec<Value>, about: string | undefined],
  find: Found<Value>,
): Source<Value> {
  const { expects, schema, segment } = codec;
  const facts: SourceFacts = { place, name, required: true, expects, schema, segment, about };
  const missing = new InputFault(facts, true);
  const unfit = new InputFault(facts, false);
  return new Source(facts, (request) => {
    const found = find(request);
    if (found === undefined) return missing;
    return found.value === undefined ? unfit : found.value;
  });
}

/** A field of the JSON body. */
export function body<Value>(name: string, codec: Codec<Value>, about?: string): Source<Value> {
  return source('body', [name, codec, about], (request) => {
    const json = memberOf(request.body, name);
    return json === undefined ? undefined : { value: codec.read(json) };
  });
}

/** A query parameter; of several with one name the first counts. */
export function query<Value>(name: string, codec: Codec<Value>, about?: string): Source<Value> {
  return source('query', [name, codec, about], (request) => {
    const text = request.query.get(name);
    return text === null ? undefined : { value: codec.readText(text) };
  });
}

/** A `:name` segment of the path. */
export function param<Value>(name: string, codec: Codec<Value>, about?: string): Source<Value> {
  return source('path', [name, codec, about], (request) => {
    const text = request.path[name];
    return text === undefined ? undefined : { value: codec.readText(text) };
  });
}

/** A request header, named in lower case. */
export function header<Value>(name: string, codec: Codec<Value>, about?: string): Source<Value> {
  return source('header', [name, codec, about], (request) => {
    const text = request.headers[name];
    return typeof text === 'string' ? { value: codec.readText(text) } : undefined;
  });
}

/** A variable the dialect fixes. */
export function constant<const Value>(value: Value): Source<Value> {
  return new Source({ place: 'constant', name: '', required: false, expects: 'choice', schema: {} }, () => value);
}

/** The variable is left out when the request does not have it. */
export function optional<Value>({ facts, read }: Source<Value>): Source<Value | undefined> {
  return new Source({ ...facts, required: false }, (request) => {
    const value = read(request);
    return value instanceof InputFault && value.missing ? undefined : value;
  });
}

/** Sources of all variables of an operation; optional ones may be left out. */
export type Sources<Variables> = {
  readonly [Name in keyof Variables]: Source<Variables[Name]> | NestedSources<NonNullable<Variables[Name]>>;
};
type NestedSources<Value> = [Value] extends [ScalarText<string> | readonly unknown[]]
  ? never
  : [Value] extends [object]
    ? Sources<Value>
    : never;

/** Sources whose variables' types no longer matter. */
export interface SourceTree {
  readonly [name: string]: Source<unknown> | SourceTree;
}

/** Builds the variables of a request, or says what is wrong with it. */
export type Builder = (request: RequestParts) => Readonly<Record<string, unknown>> | InputFault;

/** Specialises the building of variables: no look at the row's shape per request. */
export function compileSources(tree: SourceTree): Builder {
  const members = Object.entries(tree).map(
    ([name, member]) => [name, member instanceof Source ? member.read : compileSources(member)] as const,
  );
  return (request) => {
    const variables: Record<string, unknown> = {};
    for (const [name, read] of members) {
      const value = read(request);
      if (value instanceof InputFault) return value;
      if (value !== undefined) variables[name] = value;
    }
    return variables;
  };
}

/** All sources of a row, by the name of the variable or input field they feed. */
export function flatten(tree: SourceTree): readonly (readonly [variable: string, source: Source<unknown>])[] {
  return Object.entries(tree).flatMap(([name, member]) =>
    member instanceof Source ? [[name, member] as const] : flatten(member),
  );
}

import type { TypedDocumentNode } from '@graphql-typed-document-node/core';
import type { DocumentNode } from 'graphql';

import type { ErrorCode } from '../src/errors.ts';
import type { ErrorStyle } from './errors.ts';
import { shapeOf, type Needs, type Piece, type Shape } from './shapes.ts';
import type { Sources, SourceTree } from './sources.ts';

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/** A route as the interpreters see it. */
export interface Row {
  readonly method: Method;
  /** Segments that begin with `:` are parameters; their codec says what they match. */
  readonly path: string;
  /** `public`: no credential is asked for, and one that is sent is not looked at. */
  readonly access: 'bearer' | 'public';
  readonly tag: string;
  readonly summary: string;
  readonly description: string | undefined;
  readonly operation: DocumentNode;
  readonly variables: SourceTree;
  readonly at: readonly string[];
  readonly status: number;
  readonly reply: Piece<never>;
  readonly errors: readonly ErrorCode[];
}

type Exclusive<T> = Extract<T, { readonly __typename: `${string}Success` }>;
/** A union of success and typed errors stands for its success; null for the object. */
type Good<T> = [Exclusive<T>] extends [never] ? NonNullable<T> : Exclusive<T>;

/** The data at the end of a path of field names. */
type Reach<Data, At> = At extends readonly [infer Head, ...infer Tail]
  ? Head extends keyof Data
    ? Reach<Good<Data[Head]>, Tail>
    : never
  : Data;

/** Nothing to add when the data has all that the reply needs, else a type that nothing satisfies. */
type Fits<S, Data> = [Data] extends [never]
  ? { readonly 'the operation has no such path': never }
  : Data extends Needs<S>
    ? unknown
    : { readonly 'the operation does not answer': Needs<S> };

interface RouteRow<Data, Variables, At, S> {
  readonly method: Method;
  readonly path: `/${string}`;
  readonly access?: 'public';
  /** Section of the dialect's documentation. */
  readonly tag: string;
  readonly summary: string;
  readonly description?: string;
  readonly operation: TypedDocumentNode<Data, Variables>;
  readonly variables: Sources<Variables>;
  /** Where the reply's data begin. A null on the way is NOT_FOUND, for `viewer` UNAUTHENTICATED. */
  readonly at: At;
  /** 200 unless said otherwise. */
  readonly status?: number;
  readonly reply: S & Fits<S, Reach<Data, At>>;
  /** Codes of its own that the operation may answer, for the documentation. */
  readonly errors?: readonly ErrorCode[];
}

/**
 * One route: an operation, where its variables come from and how its data are shown.
 * Does not compile when a variable is missing or unknown, a codec is made for another type, or the reply
 * needs a field that the operation does not select.
 */
export function route<Data, Variables, const At extends readonly string[], const S extends Shape>(
  row: RouteRow<Data, Variables, At, S>,
): Row {
  const { access = 'bearer', status = 200, description, errors = [] } = row;
  return {
    ...row,
    access,
    status,
    description,
    errors,
    variables: row.variables,
    reply: shapeOf(row.reply),
  };
}

/** A documented REST API. */
export interface Dialect {
  readonly name: string;
  /** Begins every path; empty or `/…`. */
  readonly prefix: string;
  readonly title: string;
  readonly version: string;
  readonly description: string;
  readonly bearerDescription: string;
  readonly tags: readonly { readonly name: string; readonly description: string }[];
  readonly errors: ErrorStyle;
  readonly rows: readonly Row[];
  /** By `POST /keys`. */
  readonly examples: Readonly<Record<string, Examples>>;
}

/** JSON of one good exchange, for the documentation. */
export interface Examples {
  readonly request?: unknown;
  readonly reply: unknown;
}

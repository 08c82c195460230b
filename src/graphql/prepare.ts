import { complexityFromQuery } from '@pothos/plugin-complexity';
import {
  getOperationAST,
  getVariableValues,
  GraphQLError,
  Kind,
  parse,
  specifiedRules,
  TypeInfo,
  validate,
  visit,
  visitWithTypeInfo,
  type DocumentNode,
  type GraphQLSchema,
  type OperationDefinitionNode,
} from 'graphql';
import { LRUCache } from 'lru-cache';

import { LimitExceeded, LIMITS } from './limits.ts';
import { publicError } from './mask.ts';
import { checkLimits } from './measure.ts';
import type { OperationRequest, Preparation } from './types.ts';

/** Documents kept parsed and validated. */
const MAX_DOCUMENTS = 1_000;
/** Characters of all documents kept. */
const MAX_CACHED_CHARACTERS = 4 * 1024 * 1024;

/** A document that may be run, and what is remembered about it. */
interface KnownDocument {
  readonly document: DocumentNode;
  /** Fields with fragments expanded: bounds what compiling costs. */
  readonly fields: number;
  /** Cost of operations by name, if variables do not change it. */
  readonly costs: Map<string, number> | undefined;
}

/** @returns the function behind `Executor.prepare` and how many fields a prepared document has */
export function createPreparer(schema: GraphQLSchema): {
  readonly prepare: (request: OperationRequest) => Preparation;
  readonly fieldsOf: (document: DocumentNode) => number;
} {
  const known = new LRUCache<string, KnownDocument>({
    max: MAX_DOCUMENTS,
    maxSize: MAX_CACHED_CHARACTERS,
    sizeCalculation: (_document, query) => query.length + 1,
  });
  const fields = new WeakMap<DocumentNode, number>();

  function prepare(request: OperationRequest): Preparation {
    const cached = known.get(request.query);
    const read = cached === undefined ? readDocument(schema, request.query) : { found: cached };
    if (read.errors !== undefined) return { errors: read.errors };
    if (cached === undefined) {
      known.set(request.query, read.found);
      fields.set(read.found.document, read.found.fields);
    }
    return chooseOperation(schema, read.found, request);
  }
  return { prepare, fieldsOf: (document) => fields.get(document) ?? 0 };
}

type Reading = { found: KnownDocument; errors?: undefined } | { errors: readonly GraphQLError[] };

/** Parses, measures and validates. */
function readDocument(schema: GraphQLSchema, query: string): Reading {
  let document: DocumentNode;
  let measured: number;
  try {
    document = parse(query, { maxTokens: LIMITS.tokens });
    measured = checkLimits(document).fields;
  } catch (error) {
    return { errors: [unreadable(error)] };
  }
  // graphql-js adds one error of its own when it stops.
  const found = validate(schema, document, specifiedRules, { maxErrors: LIMITS.errors - 1 });
  if (found.length > 0)
    return { errors: found.map((error) => publicError('GRAPHQL_VALIDATION_FAILED', error.message, error)) };
  return { found: { document, fields: measured, costs: hasVariableCost(schema, document) ? undefined : new Map() } };
}

function unreadable(error: unknown): GraphQLError {
  if (error instanceof LimitExceeded) return publicError('DOCUMENT_LIMIT_EXCEEDED', error.message);
  if (error instanceof GraphQLError) return publicError('GRAPHQL_PARSE_FAILED', error.message, error);
  // The parser calls itself for every bracket: within the limit of tokens it can still run out of stack.
  if (error instanceof RangeError) return publicError('DOCUMENT_LIMIT_EXCEEDED', 'The document is nested too deeply.');
  throw error;
}

function chooseOperation(schema: GraphQLSchema, known: KnownDocument, request: OperationRequest): Preparation {
  const name = request.operationName ?? undefined;
  const operation = getOperationAST(known.document, name);
  if (operation == null) return { errors: [publicError('OPERATION_RESOLUTION_FAILED', unknownOperation(name))] };
  const variables = request.variables ?? {};
  const errors = checkVariables(schema, operation, variables) ?? checkCost(schema, known, operation, variables);
  if (errors !== undefined) return { errors };
  const prepared = { document: known.document, operation, query: request.query, operationName: name, variables };
  return { prepared };
}

function unknownOperation(name: string | undefined): string {
  if (name === undefined) return 'The document has several operations or none: name the one to run in operationName.';
  return `The document has no operation named "${name}".`;
}

function checkVariables(
  schema: GraphQLSchema,
  operation: OperationDefinitionNode,
  variables: Readonly<Record<string, unknown>>,
): readonly GraphQLError[] | undefined {
  const definitions = operation.variableDefinitions ?? [];
  if (definitions.length === 0) return undefined;
  const { errors } = getVariableValues(schema, definitions, variables, { maxErrors: LIMITS.errors - 1 });
  return errors?.map((error) => publicError('BAD_INPUT', error.message, error));
}

function checkCost(
  schema: GraphQLSchema,
  known: KnownDocument,
  operation: OperationDefinitionNode,
  variables: Readonly<Record<string, unknown>>,
): readonly GraphQLError[] | undefined {
  const name = operation.name?.value ?? '';
  let cost = known.costs?.get(name);
  try {
    cost ??= costOf(schema, known.document, operation, variables);
  } catch (error) {
    // A page size given as a null or missing variable.
    if (error instanceof GraphQLError) return [publicError('BAD_INPUT', error.message, error)];
    throw error;
  }
  known.costs?.set(name, cost);
  if (cost <= LIMITS.cost) return undefined;
  const message = `The operation would cost ${cost}; at most ${LIMITS.cost} is allowed. Ask for smaller pages.`;
  return [publicError('OPERATION_TOO_COSTLY', message)];
}

/** Whether the price of a field, such as a page, follows from an argument that is, or holds, a variable. */
function hasVariableCost(schema: GraphQLSchema, document: DocumentNode): boolean {
  const types = new TypeInfo(schema);
  let found = false;
  const priced = (): boolean => typeof types.getFieldDef()?.extensions['complexity'] === 'function';
  // Inside an argument the field is still the current one; variables of directives are not arguments of fields.
  const Variable = (): void => void (found ||= types.getArgument() != null && priced());
  visit(document, visitWithTypeInfo(types, { Variable }));
  return found;
}

/** Cost of one operation: what Pothos's fields declare, summed. */
function costOf(
  schema: GraphQLSchema,
  document: DocumentNode,
  operation: OperationDefinitionNode,
  variables: Readonly<Record<string, unknown>>,
): number {
  const definitions = document.definitions.filter(
    (definition) => definition === operation || definition.kind === Kind.FRAGMENT_DEFINITION,
  );
  return complexityFromQuery({ kind: Kind.DOCUMENT, definitions }, { schema, ctx: {}, variables }).complexity;
}

import {
  getNamedType,
  isAbstractType,
  isInputObjectType,
  isNonNullType,
  TypeInfo,
  typeFromAST,
  visit,
  visitWithTypeInfo,
  type DocumentNode,
  type GraphQLNamedType,
  type GraphQLSchema,
  type NamedTypeNode,
  type OperationDefinitionNode,
} from 'graphql';
import { compileQuery, isCompiledQuery, type CompiledQuery } from 'graphql-jit';

import type { PreparedOperation } from './types.ts';

/** Fields, with fragments expanded, above which a document is not compiled: compiling is linear in them. */
const MAX_COMPILED_FIELDS = 500;

/** @returns the compiled form of an operation; undefined: run it with graphql-js */
export type Compiler = (prepared: PreparedOperation) => CompiledQuery | undefined;

type Entry = { uses: number; compiled?: CompiledQuery | undefined };

/**
 * Compiles operations with graphql-jit on their second use. Compiled code lives as long as its document in the
 * bounded cache of prepared documents. Documents with fields that plugin-prisma plans run in graphql-js: the
 * plugin merges selections through an execution state that compiled code does not have.
 */
export function createCompiler(schema: GraphQLSchema, fieldsOf: (document: DocumentNode) => number): Compiler {
  const entries = new WeakMap<DocumentNode, Map<string, Entry>>();

  function entryOf(prepared: PreparedOperation): Entry {
    let byName = entries.get(prepared.document);
    if (byName === undefined) entries.set(prepared.document, (byName = new Map<string, Entry>()));
    const name = prepared.operation.name?.value ?? '';
    let entry = byName.get(name);
    if (entry === undefined) byName.set(name, (entry = { uses: 0 }));
    return entry;
  }

  return (prepared) => {
    if (prepared.operation.operation === 'subscription') return undefined;
    // A null may still meet a non-null argument with a default: compiled code tells that in words of its own.
    if (Object.values(prepared.variables).includes(null)) return undefined;
    const entry = entryOf(prepared);
    entry.uses += 1;
    if (entry.uses === 2 && fieldsOf(prepared.document) <= MAX_COMPILED_FIELDS)
      entry.compiled = compile(schema, prepared);
    return entry.compiled;
  };
}

function compile(schema: GraphQLSchema, { document, operation }: PreparedOperation): CompiledQuery | undefined {
  if (hasPlannedFields(schema, document) || hasRequiredDefaults(schema, operation)) return undefined;
  const compiled = compileQuery(schema, document, operation.name?.value ?? '', { disablingCapturingStackErrors: true });
  return isCompiledQuery(compiled) ? compiled : undefined;
}

/** Whether a variable has, at any depth, an input field that is required and has a default: compiled code forgets those. */
export function hasRequiredDefaults(schema: GraphQLSchema, operation: OperationDefinitionNode): boolean {
  const seen = new Set<GraphQLNamedType>();
  const holds = (type: GraphQLNamedType): boolean => {
    if (!isInputObjectType(type) || seen.has(type)) return false;
    seen.add(type);
    return Object.values(type.getFields()).some(
      (field) => (isNonNullType(field.type) && field.defaultValue !== undefined) || holds(getNamedType(field.type)),
    );
  };
  return (operation.variableDefinitions ?? []).some(({ type }) => {
    const named = typeFromAST(schema, type as NamedTypeNode);
    return named !== undefined && holds(getNamedType(named));
  });
}

/** Whether a field of the document gets its rows through a query that plugin-prisma plans from the selection. */
export function hasPlannedFields(schema: GraphQLSchema, document: DocumentNode): boolean {
  const types = new TypeInfo(schema);
  let planned = false;
  visit(
    document,
    visitWithTypeInfo(types, {
      Field() {
        const field = types.getFieldDef();
        planned ||= field != null && (isPlanned(field.extensions) || loadsModels(schema, getNamedType(field.type)));
      },
    }),
  );
  return planned;
}

/** `node(id)` and its like: the type that turns out loads its row with a planned query. */
function loadsModels(schema: GraphQLSchema, type: GraphQLNamedType): boolean {
  return (
    isAbstractType(type) &&
    schema.getPossibleTypes(type).some(({ extensions }) => extensions['pothosPrismaModel'] !== undefined)
  );
}

/** Relations, counts and selected columns carry the plugin's mark; a root field only calls `queryFromInfo`. */
function isPlanned(extensions: Readonly<Record<string, unknown>>): boolean {
  // The plugin writes `false` on exposed columns, which need no plan, and tests for truth too.
  if (Boolean(extensions['pothosPrismaSelect']) || Boolean(extensions['pothosPrismaTotalCount'])) return true;
  const options = extensions['pothosOptions'];
  if (typeof options !== 'object' || options === null || !('resolve' in options)) return false;
  return (
    typeof options.resolve === 'function' && Function.prototype.toString.call(options.resolve).includes('queryFromInfo')
  );
}

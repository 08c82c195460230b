import type { TypedDocumentNode } from '@graphql-typed-document-node/core';
import {
  createSourceEventStream,
  execute as interpret,
  getOperationAST,
  print,
  type DocumentNode,
  type ExecutionArgs,
  type ExecutionResult,
  type GraphQLError,
  type GraphQLSchema,
} from 'graphql';

import type { OperationContext, Services, Viewer } from '../context.ts';
import { AppError } from '../errors.ts';
import { createCompiler } from './compile.ts';
import { maskError } from './mask.ts';
import { createPreparer } from './prepare.ts';
import { resultStream } from './stream.ts';
import type {
  Caller,
  Executor,
  ExecutorOptions,
  OperationRequest,
  OperationType,
  Preparation,
  PreparedOperation,
} from './types.ts';

export type { Caller, Executor, ExecutorOptions, OperationRequest, OperationType, Preparation, PreparedOperation };

/** RFC 6750, section 2.1. */
const BEARER = /^Bearer +([\w.~+/=-]+)$/i;

/** Builds the executor: the only way to the schema, for every transport. */
export function createExecutor(options: ExecutorOptions): Executor {
  const { schema, services } = options;
  const { prepare: prepareRequest, fieldsOf } = createPreparer(schema);
  const compilerFor = options.compile === false ? () => undefined : createCompiler(schema, fieldsOf);

  const mask = (error: unknown, context?: OperationContext): GraphQLError =>
    maskError(error, context?.viewer == null, services.log);

  const masked = (result: ExecutionResult, context: OperationContext): ExecutionResult =>
    withErrors(result, (error) => mask(error, context));

  const contextFor = (caller: Caller): Promise<OperationContext> => contextOf(options, caller);

  async function sourceStream(
    prepared: PreparedOperation,
    context: OperationContext,
  ): Promise<AsyncIterable<unknown> | ExecutionResult> {
    try {
      const source = await createSourceEventStream(argumentsOf(schema, prepared, context));
      return Symbol.asyncIterator in source ? source : masked(source, context);
    } catch (error) {
      return { errors: [mask(error, context)] };
    }
  }

  function prepare(request: OperationRequest): Preparation {
    const started = performance.now();
    const preparation = guarded(() => prepareRequest(request), mask);
    if (preparation.errors !== undefined) report(options, 'invalid', preparation, started);
    return preparation;
  }

  async function run(
    prepared: PreparedOperation,
    context: OperationContext,
    rootValue: unknown,
  ): Promise<ExecutionResult> {
    try {
      const compiled = compilerFor(prepared);
      const result =
        compiled === undefined
          ? await interpret({ ...argumentsOf(schema, prepared, context), rootValue })
          : await compiled.query(rootValue, context, prepared.variables);
      return masked(result, context);
    } catch (error) {
      return { errors: [mask(error, context)] };
    }
  }

  async function execute(
    prepared: PreparedOperation,
    context: OperationContext,
    rootValue?: unknown,
  ): Promise<ExecutionResult> {
    const started = performance.now();
    const result = await run(prepared, context, rootValue);
    report(options, prepared.operation.operation, result, started);
    return result;
  }

  async function subscribe(
    prepared: PreparedOperation,
    context: OperationContext,
  ): Promise<AsyncGenerator<ExecutionResult, void, void> | ExecutionResult> {
    const source = await sourceStream(prepared, context);
    if (!(Symbol.asyncIterator in source)) return source;
    return resultStream(
      source,
      (event) => run(prepared, context, event),
      (error) => ({ errors: [mask(error, context)] }),
    );
  }

  const executeDocument = inProcess({ contextFor, execute, mask });
  return { schema, prepare, contextFor, execute, sourceStream, subscribe, maskError: mask, executeDocument };
}

/** Runs documents of our own, each read once. */
function inProcess({ contextFor, execute, mask }: InProcess): Executor['executeDocument'] {
  const known = new WeakMap<DocumentNode, Omit<PreparedOperation, 'variables'>>();
  return async <Result, Variables extends Readonly<Record<string, unknown>>>(
    document: TypedDocumentNode<Result, Variables>,
    variables: Variables,
    caller: Caller,
  ) => {
    let own = known.get(document);
    if (own === undefined) known.set(document, (own = ownDocument(document)));
    try {
      const result = await execute({ ...own, variables }, await contextFor(caller));
      // The document's type says what its result is: codegen made both from one schema.
      return result as ExecutionResult<Result>;
    } catch (error) {
      return { errors: [mask(error)] };
    }
  };
}

interface InProcess extends Pick<Executor, 'contextFor' | 'execute'> {
  readonly mask: (error: unknown) => GraphQLError;
}

function withErrors(result: ExecutionResult, mask: (error: GraphQLError) => GraphQLError): ExecutionResult {
  if (result.errors === undefined) return result;
  const errors = result.errors.map(mask);
  return 'data' in result ? { errors, data: result.data ?? null } : { errors };
}

async function contextOf(
  { services, authenticate }: ExecutorOptions,
  { authorization, clientAddress }: Caller,
): Promise<OperationContext> {
  if (authorization === undefined) return contextWith(services, null, clientAddress);
  const token = BEARER.exec(authorization)?.[1];
  if (token === undefined) throw new AppError('UNAUTHENTICATED');
  return contextWith(services, await authenticate(token, clientAddress), clientAddress);
}

/** Written out: copying with a spread costs every request several times as much. */
function contextWith(services: Services, viewer: Viewer | null, clientAddress: string): OperationContext {
  return {
    db: services.db,
    events: services.events,
    keys: services.keys,
    log: services.log,
    throttle: services.throttle,
    now: services.now,
    publicUrl: services.publicUrl,
    sessions: services.sessions,
    closeConnections: services.closeConnections,
    connections: services.connections,
    live: services.live,
    wallets: services.wallets,
    wakeMail: services.wakeMail,
    webhookTarget: services.webhookTarget,
    exits: services.exits,
    viewer,
    clientAddress,
  };
}

function argumentsOf(
  schema: GraphQLSchema,
  { document, operationName, variables }: PreparedOperation,
  context: OperationContext,
): ExecutionArgs {
  return { schema, document, contextValue: context, variableValues: variables, operationName };
}

function ownDocument(document: DocumentNode): Omit<PreparedOperation, 'variables'> {
  const operation = getOperationAST(document);
  if (operation == null) throw new TypeError('A document of our own must have exactly one operation');
  return { document, operation, query: print(document), operationName: operation.name?.value };
}

/** A bug in preparing must not reach the transport as an exception. */
function guarded(prepare: () => Preparation, mask: (error: unknown) => GraphQLError): Preparation {
  try {
    return prepare();
  } catch (error) {
    return { errors: [mask(error)] };
  }
}

function report(
  { onOperation }: ExecutorOptions,
  type: OperationType,
  result: Pick<ExecutionResult, 'errors'>,
  startedMs: number,
): void {
  if (onOperation === undefined) return;
  const code = result.errors?.[0]?.extensions['code'];
  onOperation(type, typeof code === 'string' ? code : 'OK', (performance.now() - startedMs) / 1000);
}

import type { TypedDocumentNode } from '@graphql-typed-document-node/core';
import type { DocumentNode, ExecutionResult, GraphQLError, GraphQLSchema, OperationDefinitionNode } from 'graphql';

import type { OperationContext, Services, Viewer } from '../context.ts';

/** Who calls, as far as the transport knows. */
export interface Caller {
  /** The `Authorization` value (`Bearer …`); undefined: anonymous. */
  readonly authorization: string | undefined;
  /** Address of the socket, for throttling and audit. */
  readonly clientAddress: string;
}

/** The parameters of GraphQL over HTTP; graphql-ws's subscribe payload has the same shape. */
export interface OperationRequest {
  readonly query: string;
  readonly operationName?: string | null | undefined;
  readonly variables?: Readonly<Record<string, unknown>> | null | undefined;
}

/** An operation that passed parsing, the document limits, validation, variable coercion and the cost limit. */
export interface PreparedOperation {
  readonly document: DocumentNode;
  readonly operation: OperationDefinitionNode;
  /** Text of the document: with variables and operation name it identifies what will be executed. */
  readonly query: string;
  readonly operationName: string | undefined;
  /** As sent, not coerced. */
  readonly variables: Readonly<Record<string, unknown>>;
}

/** Either an operation to run, or the request errors to answer with (public, with `extensions.code`). */
export type Preparation =
  | { readonly prepared: PreparedOperation; readonly errors?: undefined }
  | { readonly prepared?: undefined; readonly errors: readonly GraphQLError[] };

/**
 * The one place where GraphQL is parsed, limited, validated, run and masked: HTTP, SSE, WebSocket and
 * REST all call it.
 */
export interface Executor {
  readonly schema: GraphQLSchema;
  /** Never throws; hostile documents are refused in time linear in their size. */
  prepare(request: OperationRequest): Preparation;
  /**
   * Authenticates and builds the context of one operation. No credential: anonymous.
   * @throws AppError UNAUTHENTICATED, CREDENTIAL_REVOKED or THROTTLED
   */
  contextFor(caller: Caller): Promise<OperationContext>;
  /**
   * Runs a query or mutation; errors are masked. With `rootValue` it also maps one event of a subscription
   * to its result (GraphQL specification, 6.2.3.2).
   */
  execute(prepared: PreparedOperation, context: OperationContext, rootValue?: unknown): Promise<ExecutionResult>;
  /**
   * The events of a subscription before execution, or a result with errors when it cannot start.
   * For transports that execute each event once for many subscribers.
   */
  sourceStream(
    prepared: PreparedOperation,
    context: OperationContext,
  ): Promise<AsyncIterable<unknown> | ExecutionResult>;
  /**
   * The results of a subscription. A source that throws (`CREDENTIAL_REVOKED`) ends the stream with one
   * last result that has only the masked error.
   */
  subscribe(
    prepared: PreparedOperation,
    context: OperationContext,
  ): Promise<AsyncGenerator<ExecutionResult, void, void> | ExecutionResult>;
  /**
   * The public form of any thrown value: an `AppError` keeps its code, the rest is logged and `INTERNAL`.
   * Without a context the caller counts as anonymous.
   */
  maskError(error: unknown, context?: OperationContext): GraphQLError;
  /**
   * In-process call of one of our own documents (REST): valid since codegen checked it against the schema; not limited.
   * A bad credential is answered as `{ errors }`, like everything else.
   */
  executeDocument<Result, Variables extends Readonly<Record<string, unknown>>>(
    document: TypedDocumentNode<Result, Variables>,
    variables: Variables,
    caller: Caller,
  ): Promise<ExecutionResult<Result>>;
}

export interface ExecutorOptions {
  readonly schema: GraphQLSchema;
  readonly services: Services;
  /** @throws AppError when the credential is not good */
  readonly authenticate: (token: string, clientAddress: string) => Promise<Viewer>;
  /** Told of every finished operation, for metrics. Documents with errors count by their first code. */
  readonly onOperation?: (type: OperationType, outcome: string, seconds: number) => void;
  /** False: never compile documents (tests compare both). */
  readonly compile?: boolean;
}

export type OperationType = 'query' | 'mutation' | 'subscription' | 'invalid';

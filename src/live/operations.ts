import type { ExecutionArgs, ExecutionResult, GraphQLError } from 'graphql';
import type { ServerOptions } from 'graphql-ws';

import type { OperationContext } from '../context.ts';
import { resultStream } from '../graphql/stream.ts';
import type { Executor, PreparedOperation } from '../graphql/types.ts';
import { Subscription } from '../resolvers/subscription.ts';
import { UsageSubscription } from '../resolvers/usage/subscribeUsage.ts';
import { CLOSE, CloseSocket, SocketOperation, type Connection, type GraphqlSocket } from './connection.ts';
import { ParkedIterator } from './parked.ts';
import type { SharedSubscriptions } from './shared.ts';

/** Operations of one socket at once. */
const MAX_OPERATIONS = 100;
/** Characters of an operation's id, which every message of it repeats. */
const MAX_ID_CHARACTERS = 128;

type Hooks = Pick<
  ServerOptions<GraphqlSocket['connectionParams'], Connection>,
  'onSubscribe' | 'execute' | 'subscribe' | 'onError'
>;

/** Runs the operations of sockets through the executor, and usage subscriptions through shared lanes. */
export function operationHooks(executor: Executor, shared: SharedSubscriptions): Hooks {
  return {
    onSubscribe: (graphqlSocket, id, payload) => {
      if (id.length > MAX_ID_CHARACTERS) throw new CloseSocket(CLOSE.BAD_REQUEST, 'Operation id too long');
      if (Object.keys(graphqlSocket.subscriptions).length > MAX_OPERATIONS) {
        throw new CloseSocket(CLOSE.TOO_MANY, 'Too many operations');
      }
      const { prepared, errors } = executor.prepare(payload);
      if (prepared === undefined) return errors;
      const contextValue = new SocketOperation(graphqlSocket.extra, id, prepared);
      const { document, operationName, variables } = prepared;
      return { schema: executor.schema, document, operationName, variableValues: variables, contextValue };
    },
    execute: (args) => {
      const { prepared, connection } = operationOf(args);
      return executor.execute(prepared, connection.context());
    },
    subscribe: (args) => subscribe(executor, shared, operationOf(args)),
    onError: (_graphqlSocket, _id, _payload, errors) => errors.map((error) => publicForm(executor, error)),
  };
}

function operationOf({ contextValue }: ExecutionArgs): SocketOperation {
  if (!(contextValue instanceof SocketOperation)) throw new TypeError('not an operation of a socket');
  return contextValue;
}

/** Errors of preparing are public already; what a stream threw is not. */
function publicForm(executor: Executor, error: GraphQLError): ReturnType<GraphQLError['toJSON']> {
  return (error.originalError === undefined ? error : executor.maskError(error.originalError)).toJSON();
}

async function subscribe(
  executor: Executor,
  shared: SharedSubscriptions,
  operation: SocketOperation,
): Promise<AsyncGenerator<ExecutionResult, void, void> | ExecutionResult> {
  const { prepared, connection } = operation;
  const context = connection.context();
  const source = await executor.sourceStream(prepared, context);
  // The connection watches its credential itself, for all of its operations.
  if (source instanceof Subscription) source.unwatch();
  if (source instanceof UsageSubscription) return park(shared, operation, context, source);
  if (Symbol.asyncIterator in source) return perSubscriber(executor, prepared, context, source);
  if (source.errors?.[0]?.extensions['code'] === 'TOO_MANY_SUBSCRIPTIONS') {
    throw new CloseSocket(CLOSE.TOO_MANY, 'Too many subscriptions');
  }
  return source;
}

function park(
  shared: SharedSubscriptions,
  { prepared, connection, id }: SocketOperation,
  context: OperationContext,
  subscription: UsageSubscription,
): ParkedIterator {
  const parked: ParkedIterator = new ParkedIterator(() => {
    leave();
    subscription.release();
  });
  const leave = shared.join(prepared, context, subscription, {
    socket: connection.socket,
    opening: `{"id":${JSON.stringify(id)},"type":"next","payload":`,
    ended: (failure) => parked.end(failure),
  });
  return parked;
}

function perSubscriber(
  executor: Executor,
  prepared: PreparedOperation,
  context: OperationContext,
  source: AsyncIterable<unknown>,
): AsyncGenerator<ExecutionResult, void, void> {
  return resultStream(
    source,
    (event) => executor.execute(prepared, context, event),
    (error) => ({ errors: [executor.maskError(error, context)] }),
  );
}

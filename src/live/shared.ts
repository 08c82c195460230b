import { Kind, visit, type DocumentNode, type OperationDefinitionNode } from 'graphql';

import type { OperationContext } from '../context.ts';
import type { Executor, PreparedOperation } from '../graphql/types.ts';
import type { UsageSubscription } from '../resolvers/usage/subscribeUsage.ts';
import { Channel, type Subscriber } from './lanes.ts';

/** Identical subscriptions over WebSocket, executed and serialised once per event. */
export class SharedSubscriptions {
  readonly #executor: Executor;
  readonly #channels = new Map<string, Channel>();

  constructor(executor: Executor) {
    this.#executor = executor;
  }

  /** @returns a function with which the subscriber leaves */
  join(
    prepared: PreparedOperation,
    context: OperationContext,
    { stream }: UsageSubscription,
    subscriber: Subscriber,
  ): () => void {
    const name = channelName(prepared, context);
    let channel = this.#channels.get(name);
    if (channel === undefined) {
      // Everybody in the channel may see the same: the first one's context serves for all.
      channel = new Channel(
        async (event) => JSON.stringify(await this.#executor.execute(prepared, context, event)),
        () => this.#channels.delete(name),
      );
      this.#channels.set(name, channel);
    }
    const joined = channel;
    joined.join(stream, subscriber);
    return () => joined.leave(subscriber);
  }

  /** How many different subscriptions there are, and how many streams serve them. */
  counts(): { readonly channels: number; readonly lanes: number } {
    let lanes = 0;
    for (const channel of this.#channels.values()) lanes += channel.lanes;
    return { channels: this.#channels.size, lanes };
  }
}

/** Equal for subscriptions whose events have equal results: document, variables, operation and rights. */
function channelName(prepared: PreparedOperation, { viewer }: OperationContext): string {
  const rights = [viewer?.userId, viewer?.keyId, viewer?.role, ...(viewer?.permissions ?? [])].map(String);
  const cursor = cursorVariable(prepared.document, prepared.operation);
  const variables = Object.entries(prepared.variables).filter(([name]) => name !== cursor);
  return JSON.stringify([rights, prepared.operationName, prepared.query, variables]);
}

/**
 * The variable that says where the stream starts. It has no part in the result of an event when it is
 * used for nothing else: subscribers that resume at different numbers meet in one channel.
 */
function cursorVariable(document: DocumentNode, operation: OperationDefinitionNode): string | undefined {
  const [field] = operation.selectionSet.selections;
  if (field?.kind !== Kind.FIELD || field.name.value !== 'usage') return undefined;
  const value = field.arguments?.find((argument) => argument.name.value === 'after')?.value;
  if (value?.kind !== Kind.VARIABLE) return undefined;
  const name = value.name.value;
  let uses = 0;
  visit(document, {
    VariableDefinition: () => false,
    Variable: (variable) => void (variable.name.value === name && (uses += 1)),
  });
  return uses === 1 ? name : undefined;
}

import type { ExecutionResult } from 'graphql';

/**
 * Executes each event of a source in turn. Ending it ends the source at once, also while it waits for an event
 * (an async generator would only notice at the next one). A source that throws ends with `failed(error)`.
 */
export function resultStream(
  source: AsyncIterable<unknown>,
  execute: (event: unknown) => Promise<ExecutionResult>,
  failed: (error: unknown) => ExecutionResult,
): AsyncGenerator<ExecutionResult, void, void> {
  const events = source[Symbol.asyncIterator]();
  let ended = false;
  const end = async (): Promise<IteratorResult<ExecutionResult, void>> => {
    ended = true;
    await events.return?.();
    return { done: true, value: undefined };
  };
  return {
    async next() {
      if (ended) return { done: true, value: undefined };
      try {
        const event: IteratorResult<unknown, unknown> = await events.next();
        if (event.done !== true) return { done: false, value: await execute(event.value) };
        ended = true;
        return { done: true, value: undefined };
      } catch (error) {
        ended = true;
        return { done: false, value: failed(error) };
      }
    },
    return: end,
    async throw() {
      return await end();
    },
    async [Symbol.asyncDispose]() {
      await end();
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

/**
 * What graphql-ws is given for a subscription whose messages are sent past it: an iterator that yields
 * nothing, ends when it is told to and says when it is left.
 */
export class ParkedIterator implements AsyncGenerator<never, void, void> {
  readonly #onLeave: () => void;
  #settle: (() => void) | undefined;
  #over = false;
  #failure: Error | undefined;

  /** @param onLeave called once, when it ended or was returned from */
  constructor(onLeave: () => void) {
    this.#onLeave = onLeave;
  }

  /** Ends it; with a failure, by a throw. */
  end(failure?: Error): void {
    if (this.#over) return;
    this.#over = true;
    this.#failure = failure;
    this.#onLeave();
    this.#settle?.();
  }

  async next(): Promise<IteratorResult<never, void>> {
    if (!this.#over) {
      await new Promise<void>((resolve) => {
        this.#settle = resolve;
      });
    }
    const failure = this.#failure;
    this.#failure = undefined;
    if (failure !== undefined) throw failure;
    return { done: true, value: undefined };
  }

  async return(): Promise<IteratorResult<never, void>> {
    this.end();
    return { done: true, value: undefined };
  }

  async throw(failure: unknown): Promise<IteratorResult<never, void>> {
    this.end();
    throw failure;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.end();
  }
}

/**
 * Whether anybody still waits for what a connection is doing. An `AbortController` tells the same, but
 * with its signal, its event and the exception it makes, stack included, for every connection that ends.
 */
export class Abandonment {
  #abandoned = false;
  #listener: (() => void) | undefined;

  get abandoned(): boolean {
    return this.#abandoned;
  }

  abandon(): void {
    if (this.#abandoned) return;
    this.#abandoned = true;
    this.#listener?.();
  }

  /** Sets the one listener, or none. Not called for what was abandoned before. */
  listen(listener: (() => void) | undefined): void {
    this.#listener = listener;
  }
}

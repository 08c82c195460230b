/** Milliseconds for which a key that was good is believed. */
export const BELIEVED_MS = 5_000;
/** Keys kept; the oldest makes room. */
const MAX_NAMES = 10_000;

/**
 * Keys that the main thread has just found good, so that the answer of RFC 1929 needs no round
 * trip. They open nothing: the main thread judges the key again with every request. It says when
 * one of them may have stopped working.
 */
export class GoodNames {
  /** By product and key: when it was found good. In the order of that. */
  readonly #names = new Map<string, number>();

  has(key: string, product: number, now: number): boolean {
    const since = this.#names.get(`${product}${key}`);
    return since !== undefined && now - since < BELIEVED_MS;
  }

  add(key: string, product: number, now: number): void {
    const name = `${product}${key}`;
    this.#names.delete(name);
    const [oldest] = this.#names.keys();
    if (this.#names.size >= MAX_NAMES && oldest !== undefined) this.#names.delete(oldest);
    this.#names.set(name, now);
  }

  /** All of them: each costs one question more. */
  forget(): void {
    this.#names.clear();
  }
}

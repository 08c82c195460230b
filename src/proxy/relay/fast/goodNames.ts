/** Milliseconds for which a username that was good is believed. */
const BELIEVED_MS = 5_000;
/** Usernames kept; the oldest makes room. */
const MAX_NAMES = 10_000;

/**
 * Usernames that the main thread has just found good, so that the answer of RFC 1929 needs no round
 * trip. They open nothing: the main thread judges the key again with every request.
 */
export class GoodNames {
  /** By product and name: when it was found good. In the order of that. */
  readonly #names = new Map<string, number>();

  has(username: string, product: number, now: number): boolean {
    const since = this.#names.get(`${product}${username}`);
    return since !== undefined && now - since < BELIEVED_MS;
  }

  add(username: string, product: number, now: number): void {
    const name = `${product}${username}`;
    this.#names.delete(name);
    const [oldest] = this.#names.keys();
    if (this.#names.size >= MAX_NAMES && oldest !== undefined) this.#names.delete(oldest);
    this.#names.set(name, now);
  }

  forget(username: string, products: number): void {
    for (let product = 0; product < products; product++) this.#names.delete(`${product}${username}`);
  }
}

/** Datagrams of one association, and bytes, that wait for the address of a name or for credit; what comes then is dropped. */
export const MAX_WAITING = 64;
export const MAX_WAITING_BYTES = 131_072;

/** How much waits. */
export class Backlog {
  #count = 0;
  #bytes = 0;

  /** @returns false when there is no room for it */
  take(bytes: number): boolean {
    if (this.#count >= MAX_WAITING || this.#bytes + bytes > MAX_WAITING_BYTES) return false;
    this.#count++;
    this.#bytes += bytes;
    return true;
  }

  /** It waits no more. */
  give(bytes: number): void {
    this.#count--;
    this.#bytes -= bytes;
  }
}

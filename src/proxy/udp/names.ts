import type { Resolved } from '../../egress.ts';

/** Names of one association that are remembered; the one not used for longest is forgotten first. */
export const MAX_NAMES = 256;
/** Names of one association that are looked up at once; what is to go to others meanwhile is dropped. */
const MAX_ASKED = 8;
/** Milliseconds for which the addresses of a name are used, and for which a failure is believed. */
const FOUND_MS = 60_000;
const FAILED_MS = 5_000;

type Resolve = (host: string, port: number) => Promise<Resolved>;

interface Entry {
  readonly resolved: Resolved;
  readonly until: number;
}

/** What the fence said about the names that a client sends datagrams to. Bounded, of one association. */
export class Names {
  readonly #resolve: Resolve;
  readonly #known = new Map<string, Entry>();
  readonly #asked = new Map<string, Promise<Resolved>>();

  constructor(resolve: Resolve) {
    this.#resolve = resolve;
  }

  /** @returns a promise while the fence is asked; one question for all who wait for the same name */
  find(host: string, port: number): Resolved | Promise<Resolved> {
    const key = `${port} ${host.toLowerCase()}`;
    const entry = this.#known.get(key);
    this.#known.delete(key);
    if (entry !== undefined && performance.now() < entry.until) {
      this.#known.set(key, entry);
      return entry.resolved;
    }
    return this.#asked.get(key) ?? this.#ask(key, host, port);
  }

  #ask(key: string, host: string, port: number): Resolved | Promise<Resolved> {
    if (this.#asked.size >= MAX_ASKED) return { failure: 'LOOKUP_FAILED' };
    const answer = this.#resolve(host, port)
      .then((resolved) => this.#learn(key, resolved))
      .finally(() => this.#asked.delete(key));
    this.#asked.set(key, answer);
    return answer;
  }

  #learn(key: string, resolved: Resolved): Resolved {
    const validMs = 'addresses' in resolved ? FOUND_MS : FAILED_MS;
    this.#known.set(key, { resolved, until: performance.now() + validMs });
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= MAX_NAMES) break;
      this.#known.delete(oldest);
    }
    return resolved;
  }
}

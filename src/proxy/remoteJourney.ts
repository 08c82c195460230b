import { isUpstream, MAX_UPSTREAM_ADDRESSES, upstreamSetback } from './exits/attempt.ts';
import type { Setback } from './exits/exit.ts';
import type { Attempt, Departure, Journey, JourneyFailure } from './exits/journey.ts';
import type { House } from './house.ts';
import type { RemoteAttempt } from './relay/fast/messages.ts';

/** What a journey needs of the connection that leaves. */
export interface Voyager {
  /** Have the worker try this; it reports what came of it. */
  dial(attempt: RemoteAttempt): void;
  /** Nothing is left to try. */
  stranded(failure: JourneyFailure): void;
  failed(error: unknown): void;
}

/** Leads a connection out whose sockets are in a relay worker, until it is open or nothing is left to try. */
export class RemoteJourney {
  readonly #journey: Journey;
  readonly #resolve: House['resolveUpstream'];
  readonly #voyager: Voyager;
  /** Nothing is under way: it is open or was given up, or the client has gone. */
  #over = false;

  constructor(journey: Journey, resolve: House['resolveUpstream'], voyager: Voyager) {
    this.#journey = journey;
    this.#resolve = resolve;
    this.#voyager = voyager;
  }

  /** Tries what comes next. */
  next(): void {
    const attempt = this.#journey.next();
    if (attempt === undefined) {
      this.#over = true;
      this.#voyager.stranded(this.#journey.failure);
    } else if (isUpstream(attempt.spec)) {
      this.#find(attempt, attempt.spec).catch((error: unknown) => this.#voyager.failed(error));
    } else {
      this.#voyager.dial({ ...attempt, upstreamAddresses: [] });
    }
  }

  opened(): Departure {
    this.#over = true;
    return this.#journey.opened();
  }

  failed(setback: Setback): void {
    this.#journey.failed(setback);
    this.next();
  }

  /** The client has gone before it was open. */
  abandoned(): void {
    if (!this.#over) this.#journey.abandoned();
    this.#over = true;
  }

  /** Finds the upstream proxy; the time that takes is part of the attempt's. */
  async #find(attempt: Attempt, { host, port }: { readonly host: string; readonly port: number }): Promise<void> {
    const deadline = performance.now() + attempt.timeoutMs;
    const resolved = await this.#resolve(host, port);
    if (this.#over) return;
    if ('failure' in resolved) {
      return this.failed(upstreamSetback(`the upstream proxy has no address: ${resolved.failure}`));
    }
    const upstreamAddresses = resolved.addresses.slice(0, MAX_UPSTREAM_ADDRESSES);
    this.#voyager.dial({ ...attempt, upstreamAddresses, timeoutMs: Math.max(1, deadline - performance.now()) });
  }
}

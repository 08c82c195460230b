/** Failures in a row after which an exit is left alone for a while. */
const MAX_FAILURES = 3;
/** Milliseconds of the first pause; each pause after a failed probe is twice as long as the one before. */
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 300_000;

export type HealthState = 'HEALTHY' | 'QUARANTINED' | 'PROBING';

/**
 * Whether an exit can be relied on: a circuit breaker. After some failures in a row it pauses; then
 * one connection at a time may try it (the probe), and its success ends the quarantine. Where exits are
 * checked, connections wait for a check that passes. Times are milliseconds of any one clock that does
 * not go backwards.
 */
export class Health {
  readonly #isChecked: boolean;
  #failures = 0;
  /** Pauses of this quarantine; 0 when it is not in one. */
  #pauses = 0;
  #pausedUntil = 0;
  #probing = false;
  /** A check has passed since the pause began. */
  #passed = false;

  /** @param isChecked somebody checks it when a pause has ended, before any connection may try it */
  constructor(isChecked = false) {
    this.#isChecked = isChecked;
  }

  get state(): HealthState {
    if (this.#pauses === 0) return 'HEALTHY';
    return this.#probing ? 'PROBING' : 'QUARANTINED';
  }

  /** When its pause ends; in the past when it needs none. */
  get pausedUntil(): number {
    return this.#pauses === 0 ? 0 : this.#pausedUntil;
  }

  /** Whether a connection may be tried now. */
  admits(now: number): boolean {
    if (this.#pauses === 0) return true;
    return now >= this.#pausedUntil && !this.#probing && (!this.#isChecked || this.#passed);
  }

  /** Whether a check has to come first, and none is under way. */
  unchecked(now: number): boolean {
    return this.#isChecked && this.#pauses > 0 && now >= this.#pausedUntil && !this.#probing && !this.#passed;
  }

  /** A check has begun: it is a probe, to be told with its outcome. */
  checking(): void {
    this.#probing = true;
  }

  /** The check was successful: a connection may be the last proof. */
  passed(): void {
    this.#probing = false;
    this.#passed = true;
  }

  /** A connection is tried. @returns whether it is the probe, to be told with its outcome */
  begin(now: number): boolean {
    const probe = this.#pauses > 0 && this.admits(now);
    if (probe) this.#probing = true;
    return probe;
  }

  succeeded(): void {
    this.#failures = 0;
    this.#pauses = 0;
    this.#probing = false;
    this.#passed = false;
  }

  /** What fails during a pause and is no probe was tried before it, or as a last resort: it changes nothing. */
  failed(now: number, probe: boolean): void {
    this.#failures++;
    if (probe) this.#probing = false;
    else if (this.#pauses > 0 || this.#failures < MAX_FAILURES) return;
    this.#pausedUntil = now + Math.min(FIRST_PAUSE_MS * 2 ** this.#pauses, LONGEST_PAUSE_MS);
    this.#pauses++;
    this.#passed = false;
  }

  /** It came to nothing either way: if it was the probe, the next connection is. */
  released(probe: boolean): void {
    if (probe) this.#probing = false;
  }
}

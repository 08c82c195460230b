/** A part that did not stop cleanly. */
export interface Failure {
  readonly name: string;
  readonly error: unknown;
}

/** What has been started, to be stopped in reverse, each part also when another one fails. */
export class Teardown {
  readonly #steps: { readonly name: string; readonly stop: () => unknown }[] = [];

  /** Registers how to stop what was just started. */
  add(name: string, stop: () => unknown): void {
    this.#steps.push({ name, stop });
  }

  /**
   * Stops everything, the last started first.
   * @param stopped told how long each part took, in milliseconds
   * @returns what failed, by name
   */
  async run(stopped: (name: string, milliseconds: number) => void = () => {}): Promise<readonly Failure[]> {
    const failures: Failure[] = [];
    for (let step = this.#steps.pop(); step !== undefined; step = this.#steps.pop()) {
      const started = performance.now();
      try {
        await step.stop();
      } catch (error) {
        failures.push({ name: step.name, error });
      }
      stopped(step.name, Math.round(performance.now() - started));
    }
    return failures;
  }
}

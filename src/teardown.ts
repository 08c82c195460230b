/** What has been started, to be stopped in reverse, each part also when another one fails. */
export class Teardown {
  readonly #steps: { readonly name: string; readonly stop: () => unknown }[] = [];

  /** Registers how to stop what was just started. */
  add(name: string, stop: () => unknown): void {
    this.#steps.push({ name, stop });
  }

  /** Stops everything, the last started first. @returns what failed, by name */
  async run(): Promise<readonly { readonly name: string; readonly error: unknown }[]> {
    const failures: { name: string; error: unknown }[] = [];
    for (let step = this.#steps.pop(); step !== undefined; step = this.#steps.pop()) {
      try {
        await step.stop();
      } catch (error) {
        failures.push({ name: step.name, error });
      }
    }
    return failures;
  }
}

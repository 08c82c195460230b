/** The sleep of one reader that waits for something new. */
export class Sleep {
  #wake: (() => void) | undefined;

  /** Ends the present sleep; one that begins later is not shortened. */
  wake(): void {
    this.#wake?.();
  }

  /** @param ms at most; below 0 is 0. @returns false when nobody woke it. One call at a time */
  wait(ms: number): Promise<boolean> {
    return new Promise((resolve) => {
      const settle = (woken: boolean): void => {
        clearTimeout(timer);
        this.#wake = undefined;
        resolve(woken);
      };
      const timer = setTimeout(settle, Math.max(0, ms), false);
      this.#wake = () => settle(true);
    });
  }
}

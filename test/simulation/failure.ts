/** The ledger broke a promise: what the simulation exists to find. */
export class BrokenPromise extends Error {
  override readonly name = 'BrokenPromise';
}

/** @throws BrokenPromise when `condition` is false */
export function assertHolds(condition: boolean, message: () => string): asserts condition {
  if (!condition) throw new BrokenPromise(message());
}

const tails = new Map<string, Promise<unknown>>();

/**
 * Runs work of one name one after another, so that attempts made at once cannot all pass a counter
 * that none of them has moved yet. Names without work are forgotten.
 */
export async function inTurn<T>(name: string, work: () => Promise<T>): Promise<T> {
  const before = tails.get(name) ?? Promise.resolve();
  const mine = before.then(work);
  const tail = mine.catch(() => undefined);
  tails.set(name, tail);
  try {
    return await mine;
  } finally {
    if (tails.get(name) === tail) tails.delete(name);
  }
}

/**
 * Does some work and answers, or fails, only at the end of a whole step of time after the start: work that takes a
 * little longer for some than for others looks alike.
 * @param stepMs longer than the work takes on an idle machine; a busy one needs two steps, or more
 */
export async function noSoonerThan<T>(stepMs: number, work: () => Promise<T>): Promise<T> {
  const startedAt = performance.now();
  try {
    return await work();
  } finally {
    const elapsed = performance.now() - startedAt;
    const steps = Math.max(1, Math.ceil(elapsed / stepMs));
    await new Promise((resolve) => setTimeout(resolve, steps * stepMs - elapsed));
  }
}

/** Runs `work` again and again, with a pause after each. @returns a function that stops it */
export function repeat(work: () => Promise<void>, pauseMs: () => number): () => void {
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;
  const schedule = (): void => {
    if (stopped) return;
    timer = setTimeout(() => void round(), pauseMs());
    timer.unref();
  };
  const round = async (): Promise<void> => {
    await work();
    schedule();
  };
  schedule();
  return () => {
    stopped = true;
    clearTimeout(timer);
  };
}

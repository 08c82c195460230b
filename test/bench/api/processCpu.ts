import { readFileSync } from 'node:fs';

/** `getconf CLK_TCK` on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;
/** proc(5): utime and stime, counted from the field after the command's name. */
const [USER, SYSTEM] = [11, 12] as const;

/** CPU-microseconds that a process has used, all its threads together. */
export function cpuMicros(pid: number): number {
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return ((Number(fields[USER]) + Number(fields[SYSTEM])) / TICKS_PER_SECOND) * 1e6;
}

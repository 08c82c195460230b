import { fork, type ChildProcess } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { cpus, release } from 'node:os';
import { fileURLToPath } from 'node:url';

import type { Load } from './client.ts';
import type { Role } from './roles.ts';

/** `getconf CLK_TCK` on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;

/** Where the figures come from. */
export function machine(): string {
  return `${cpus().length} × ${cpus()[0]?.model}, Linux ${release()}, Node ${process.version}`;
}

/** The number behind `--name`. @throws when it is not above 0 */
export function option(name: string, otherwise: number): number {
  const index = process.argv.indexOf(`--${name}`);
  const value = index < 0 ? otherwise : Number(process.argv[index + 1]);
  if (!(value > 0)) throw new Error(`--${name} must be a number above 0`);
  return value;
}

export function forkRole(role: Role, task?: Load): ChildProcess {
  const file = fileURLToPath(new URL('roles.ts', import.meta.url));
  return fork(file, [role, JSON.stringify(task ?? null)], { execArgv: ['--import', 'tsx'] });
}

/** The one message of a role. @throws when its process ends before */
export function answerOf<Answer>(child: ChildProcess): Promise<Answer> {
  return new Promise((resolve, reject) => {
    child.once('message', (message) => resolve(message as Answer));
    child.once('exit', (code) => reject(new Error(`a process of the bench ended early (${code})`)));
  });
}

/** CPU-seconds, user and system, that a process and its descendants have used so far. */
export function cpuSeconds(root: number | undefined): number {
  if (root === undefined) return 0;
  const parents = new Map<number, number>();
  const used = new Map<number, number>();
  for (const entry of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    const text = statOf(entry);
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    parents.set(Number(entry), Number(fields[1] ?? 0));
    // utime, stime, and those of children that ended and were waited for (proc(5), fields 14 to 17).
    used.set(
      Number(entry),
      fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0),
    );
  }
  const descends = (pid: number): boolean => pid === root || (pid > 1 && descends(parents.get(pid) ?? 0));
  return [...used].reduce((sum, [pid, ticks]) => sum + (descends(pid) ? ticks : 0), 0) / TICKS_PER_SECOND;
}

/** Empty when the process has ended meanwhile. */
function statOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return '';
  }
}

/** Resident memory of a process, KB of 1,000 bytes. */
export function residentKb(pid: number): number {
  const kib = Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
  return (kib * 1_024) / 1_000;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((one, other) => one - other);
  const middle = (sorted.length - 1) / 2;
  return ((sorted[Math.floor(middle)] ?? 0) + (sorted[Math.ceil(middle)] ?? 0)) / 2;
}

/** Median and, in brackets, least and greatest. */
export function spread(values: readonly number[], digits: number): string {
  const [least, middle, greatest] = [Math.min(...values), median(values), Math.max(...values)];
  return `${middle.toFixed(digits)} [${least.toFixed(digits)}..${greatest.toFixed(digits)}]`;
}

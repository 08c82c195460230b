import { hash, verify } from 'argon2';

import { AppError } from '../../errors.ts';

/** OWASP's second choice for argon2id: 19 MiB, 2 passes; about 20 ms. */
const OPTIONS = { memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const;

/** Passwords hashed or verified at once: each takes a core and 19 MiB for its time. */
export const MAX_RUNNING = 2;
/** Passwords that wait for their turn, about two seconds of work; more are refused. */
export const MAX_WAITING = 200;

let running = 0;
const waiting: (() => void)[] = [];

/** Whoever ends hands its place to the one that waits longest. */
async function admitted<T>(work: () => Promise<T>): Promise<T> {
  if (running < MAX_RUNNING) running += 1;
  else {
    if (waiting.length >= MAX_WAITING) throw new AppError('UNAVAILABLE');
    await new Promise<void>((admit) => waiting.push(admit));
  }
  try {
    return await work();
  } finally {
    const next = waiting.shift();
    if (next === undefined) running -= 1;
    else next();
  }
}

/**
 * argon2id hash of a password, in PHC format.
 * @throws AppError UNAVAILABLE when `MAX_WAITING` others wait already
 */
export function hashPassword(password: string): Promise<string> {
  return admitted(() => hash(password, OPTIONS));
}

let decoy: Promise<string> | undefined;

/**
 * Whether a password fits. Without a hash (no such user, or no password) it takes as long and is
 * false, so that time does not tell which e-mail addresses are known.
 * @throws AppError UNAVAILABLE when `MAX_WAITING` others wait already
 */
export async function verifyPassword(passwordHash: string | null, password: string): Promise<boolean> {
  // Not refused for want of room: the decoy is made once for all.
  decoy ??= hash('nobody has this password', OPTIONS);
  // Waited for in both cases: the first attempt of all makes the decoy.
  const instead = await decoy;
  const fits = await admitted(() => verify(passwordHash ?? instead, password));
  return fits && passwordHash !== null;
}

/** How e-mail addresses are stored and compared. */
export function normalizeEmail(email: string): string {
  return email.trim().toLowerCase();
}

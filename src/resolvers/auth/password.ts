import { hash, verify } from 'argon2';

/** OWASP's second choice for argon2id: 19 MiB, 2 passes; about 20 ms. */
const OPTIONS = { memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const;

/** argon2id hash of a password, in PHC format. */
export function hashPassword(password: string): Promise<string> {
  return hash(password, OPTIONS);
}

let decoy: Promise<string> | undefined;

/**
 * Whether a password fits. Without a hash (no such user, or no password) it takes as long and is
 * false, so that time does not tell which e-mail addresses are known.
 */
export async function verifyPassword(passwordHash: string | undefined, password: string): Promise<boolean> {
  decoy ??= hashPassword('nobody has this password');
  // Waited for in both cases: the first attempt of all makes the decoy.
  const instead = await decoy;
  const fits = await verify(passwordHash ?? instead, password);
  return fits && passwordHash !== undefined;
}

/** How e-mail addresses are stored and compared. */
export function normalizeEmail(email: string): string {
  return email.trim().toLowerCase();
}

import { targetSetback } from '../exits/attempt.ts';
import { dialFailure } from '../relay/dialFailure.ts';
import type { OutwardFault } from './outward.ts';

/**
 * What it says of an exit that a socket for it could not be opened (bind(2)).
 * @param address of this machine that was to be bound
 */
export function openingFault(error: unknown, address: string): OutwardFault {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const failure = dialFailure({ code, binding: true, address, localAddress: address });
  return { blame: targetSetback(failure).blame, detail: `UDP: ${failure}` };
}

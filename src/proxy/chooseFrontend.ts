import type { Logger } from '../log.ts';
import type { FastOptions } from './fastFrontend.ts';
import type { Frontend, House } from './house.ts';
import { PortableFrontend } from './portableFrontend.ts';

/** `auto`: fast where it can be had. */
export type RelayChoice = 'auto' | 'fast' | 'portable';

/**
 * The relay for this machine. Falls back to the portable one, with one line in the log that says why.
 * @throws Error when the fast relay was demanded and cannot be had
 */
export async function chooseFrontend(
  choice: RelayChoice,
  options: FastOptions,
  house: House,
  log: Logger,
): Promise<Frontend> {
  if (choice === 'portable') return new PortableFrontend(options, house);
  try {
    // Loads koffi, an optional dependency.
    const { FastFrontend } = await import('./fastFrontend.ts');
    return new FastFrontend(options, house);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    if (choice === 'fast')
      throw new Error(`The fast relay cannot be had here; set RELAY to auto (${reason})`, { cause: error });
    log.warn({ reason }, 'the fast relay cannot be had here: the portable one is used');
    return new PortableFrontend(options, house);
  }
}

import type { Fence } from '../../egress.ts';
import { isUpstream } from '../exits/attempt.ts';
import type { ExitSpec } from '../exits/config.ts';
import type { Means } from '../exits/depart.ts';
import type { Setback } from '../exits/exit.ts';
import { openLocal } from './localOutward.ts';
import type { Correspondent } from './peers.ts';
import type { Heard } from './socket.ts';
import { openUpstream } from './upstreamOutward.ts';

/** What an association needs of its side towards the targets. */
export interface Outward {
  /** Whether datagrams can go to an address of this family. */
  reaches(address: string): boolean;
  /** Too much waits for the kernel: what is sent to this address now is dropped. */
  full(address: string): boolean;
  /** @param sent once, with what the kernel had against it */
  send(payload: Buffer, target: Correspondent, sent: (error: Error | null) => void): void;
  close(): void;
}

/** What hears of an outward side. */
export interface OutwardListeners {
  readonly heard: Heard;
  /** A socket does not work any more, or never did. */
  readonly failed: () => void;
}

/** What it takes to reach upstream proxies, and to judge where they want datagrams sent. */
export interface OutwardMeans extends Omit<Means<never>, 'relay'> {
  readonly fence: Fence;
}

/** Why there is none. */
export type OutwardFault = Pick<Setback, 'blame' | 'detail'>;

/** Opens the side of an association towards the targets. */
export function openOutward(
  spec: ExitSpec,
  means: OutwardMeans,
  listeners: OutwardListeners,
): Promise<Outward | OutwardFault> {
  return isUpstream(spec) ? openUpstream(spec, means, listeners) : openLocal(spec, listeners);
}

import { SLAB_SLOTS } from './limits.ts';
import type { LeaseCells } from './session.ts';

/** A block of cells. */
export interface Slab extends LeaseCells {
  /** Odd while the slot is taken; moves on when it is taken or released, so that stale users can tell. */
  readonly generation: Uint32Array;
}

/** Where the counters of one connection live. */
export interface Place {
  readonly slab: Slab;
  readonly slot: number;
  readonly generation: number;
}

/**
 * Counters of all connections of one process, in blocks that never move, so that a relay in
 * another thread may keep them. Released slots are used again.
 */
export interface CellTable {
  /** Takes a slot; its counters are 0. */
  take(): Place;
  /** Gives a slot back. A second release of the same place does nothing. */
  release(place: Place): void;
  readonly taken: () => number;
}

/** @param memory allocates the blocks: `SharedArrayBuffer` when relays run in other threads */
export function createCellTable(memory: (bytes: number) => ArrayBufferLike): CellTable {
  const free: { slab: Slab; slot: number }[] = [];
  let taken = 0;
  return {
    take() {
      if (free.length === 0) grow(memory, free);
      const place = free.pop();
      if (place === undefined) throw new RangeError('no slot for a connection');
      const { slab, slot } = place;
      slab.granted[slot] = 0;
      slab.up[slot] = 0;
      slab.down[slot] = 0;
      slab.acceptedUp[slot] = 0;
      slab.acceptedDown[slot] = 0;
      const generation = nextGeneration(slab, slot);
      taken += 1;
      return { slab, slot, generation };
    },
    release({ slab, slot, generation }) {
      if (slab.generation[slot] !== generation) return;
      nextGeneration(slab, slot);
      taken -= 1;
      free.push({ slab, slot });
    },
    taken: () => taken,
  };
}

function grow(memory: (bytes: number) => ArrayBufferLike, free: { slab: Slab; slot: number }[]): void {
  const column = SLAB_SLOTS * Float64Array.BYTES_PER_ELEMENT;
  const buffer = memory(5 * column + SLAB_SLOTS * Uint32Array.BYTES_PER_ELEMENT);
  const slab: Slab = {
    granted: new Float64Array(buffer, 0, SLAB_SLOTS),
    up: new Float64Array(buffer, column, SLAB_SLOTS),
    down: new Float64Array(buffer, 2 * column, SLAB_SLOTS),
    acceptedUp: new Float64Array(buffer, 3 * column, SLAB_SLOTS),
    acceptedDown: new Float64Array(buffer, 4 * column, SLAB_SLOTS),
    generation: new Uint32Array(buffer, 5 * column, SLAB_SLOTS),
  };
  for (let slot = SLAB_SLOTS - 1; slot >= 0; slot -= 1) free.push({ slab, slot });
}

function nextGeneration(slab: Slab, slot: number): number {
  const generation = ((slab.generation[slot] ?? 0) + 1) >>> 0;
  slab.generation[slot] = generation;
  return generation;
}

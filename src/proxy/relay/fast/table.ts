/** Connections that one worker can tell apart at once. */
const SLOTS = 2 ** 20;
const GENERATIONS = 2 ** 32;

/** An id as an event of the kernel carries it: two numbers of 32 bits. */
export function slotOf(id: number): number {
  return id % SLOTS;
}

export function generationOf(id: number): number {
  return Math.floor(id / SLOTS);
}

/**
 * What is open, by id. Slots are used again, each time under another generation: an event, an order
 * or a timer of a connection that is gone finds nothing.
 */
export class Table<Entry extends { readonly id: number }> {
  readonly #entries: (Entry | undefined)[] = [];
  readonly #generations: number[] = [];
  readonly #free: number[] = [];
  readonly #passed: number;

  /** @param passed generations below and at this one were used before, by another table */
  constructor(passed: number) {
    this.#passed = passed;
  }

  /** An id for the next entry, which is then `set`. */
  nextId(): number {
    const slot = this.#free.pop() ?? this.#generations.length;
    if (slot >= SLOTS) throw new RangeError('too many connections');
    const generation = ((this.#generations[slot] ?? this.#passed) + 1) % GENERATIONS;
    this.#generations[slot] = generation;
    return generation * SLOTS + slot;
  }

  set(entry: Entry): void {
    this.#entries[slotOf(entry.id)] = entry;
  }

  find(id: number): Entry | undefined {
    const entry = this.#entries[slotOf(id)];
    return entry?.id === id ? entry : undefined;
  }

  at(slot: number, generation: number): Entry | undefined {
    return this.find(generation * SLOTS + slot);
  }

  delete(id: number): void {
    if (this.find(id) === undefined) return;
    this.#entries[slotOf(id)] = undefined;
    this.#free.push(slotOf(id));
  }

  all(): Entry[] {
    return this.#entries.filter((entry) => entry !== undefined);
  }
}

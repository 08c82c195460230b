import type { TickLine } from '../resolvers/ledger/types.ts';
import { PRICE_PER_BYTE, type Product } from '../units.ts';

interface Sum {
  readonly product: Product;
  /** Start of the UTC hour, Unix milliseconds. */
  readonly hour: number;
  up: number;
  down: number;
}

/**
 * Bytes of one key that flowed and are not yet on their way to the ledger, by product and hour.
 * Bytes given back after they were settled cannot be taken out of the ledger again: they are
 * owed, and later bytes of the same product are free until that is made good.
 */
export class Tally {
  #sums: Sum[] = [];
  readonly #owed = new Map<Product, number>();

  /** Worth of the bytes, in nano-credits. */
  amount = 0;
  bytes = 0;

  /**
   * Adds bytes that flowed; negative ones were given back.
   * @returns bytes that cost nothing because they were owed; negative: bytes newly owed
   */
  add(product: Product, hour: number, up: number, down: number): number {
    const total = up + down;
    const owed = this.#owed.get(product) ?? 0;
    const free = Math.min(owed, total);
    this.#owed.set(product, owed - free);
    if (total > free) {
      // Directions are for show, the sum is the bill: what is free or negative comes off the other one.
      const billedUp = Math.min(Math.max(0, up), total - free);
      this.#addToSum(product, hour, billedUp, total - free - billedUp);
      this.bytes += total - free;
      this.amount += (total - free) * Number(PRICE_PER_BYTE[product]);
    }
    return free;
  }

  /** Takes everything out, as lines of a settlement. */
  take(keyId: bigint): TickLine[] {
    const lines = this.#sums.map(({ product, hour, up, down }) => ({
      keyId,
      product,
      hour: new Date(hour),
      up: BigInt(up),
      down: BigInt(down),
    }));
    this.#sums = [];
    this.amount = 0;
    this.bytes = 0;
    return lines;
  }

  #addToSum(product: Product, hour: number, up: number, down: number): void {
    const sum = this.#sums.find((each) => each.product === product && each.hour === hour);
    if (sum === undefined) {
      this.#sums.push({ product, hour, up, down });
    } else {
      sum.up += up;
      sum.down += down;
    }
  }
}

/** Addresses in use: few enough to see each of them often, enough not to run out of ports. */
const ADDRESSES = 2_000;

/** From where the client of this number comes, somewhere in 127.0.0.0/8. */
export function addressOf(index: number): string {
  const at = index % ADDRESSES;
  return `127.${1 + (at % 100)}.${Math.floor(at / 250)}.${1 + (at % 250)}`;
}

import type { Hex } from 'viem';
import { privateKeyToAccount } from 'viem/accounts';

/** Keys of two wallets: what is recorded names their addresses. */
const KEYS = { first: `0x${'11'.repeat(32)}`, second: `0x${'22'.repeat(32)}` } as const satisfies Record<string, Hex>;
export const WALLETS = {
  first: privateKeyToAccount(KEYS.first),
  second: privateKeyToAccount(KEYS.second),
};

/** Which wallet asks for a message, and what for. */
export interface Signing {
  readonly wallet: keyof typeof WALLETS;
  readonly purpose: 'login' | 'link';
  /** Who signs it: the wallet itself, unless another is named. */
  readonly by?: keyof typeof WALLETS;
}

/** Puts a message and its signature into texts: those of the last signing. */
export type Signed = (text: string) => string;

/** What signs, at a server. */
export function signerOf(http: string): (signing: Signing | undefined) => Promise<Signed> {
  let last = { message: '', signature: '' };
  return async (signing) => {
    if (signing !== undefined) {
      const { wallet, purpose, by = wallet } = signing;
      const answer = await fetch(`${http}/auth/nonce?address=${WALLETS[wallet].address}&purpose=${purpose}`);
      const { message } = (await answer.json()) as { message: string };
      last = { message, signature: await WALLETS[by].signMessage({ message }) };
    }
    const { message, signature } = last;
    return (text) =>
      text.replaceAll('<message>', JSON.stringify(message).slice(1, -1)).replaceAll('<signature>', signature);
  };
}

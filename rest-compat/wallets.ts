import type { Codec } from './codec.ts';
import { text } from './codecs.ts';

/** A text that may have several lines. What it may hold is for the operation to say, as with the others here. */
export const lines: Codec<string> = { ...text, expects: 'lines' };

/** Bytes in hexadecimal digits, after `0x`. */
export const bytes: Codec<string> = { ...text, expects: 'bytes' };

/** An address of Ethereum. */
export const address: Codec<string> = { ...text, expects: 'address' };

import type { RestCode } from '../../../rest-compat/errors.ts';
import type { Cast } from './cast.ts';

/** A request, as it differs from one that a row answers. */
export interface Parts {
  /** Bearer; null: none. Default: the secret of `plain`. */
  readonly credential?: string | null;
  /** For `:id`. Default: the key of `plain`. */
  readonly id?: bigint;
  readonly query?: Readonly<Record<string, string>>;
  /** Fields of the body in place of those of the documented example; undefined leaves one out. */
  readonly fields?: Readonly<Record<string, unknown>>;
  /** Sent in place of the fields. */
  readonly text?: string;
  readonly type?: string;
}

/** A request that fails, and how. */
export interface Fault {
  readonly code: RestCode;
  readonly title: string;
  /** Where GraphQL answers otherwise: another code, or `OK`. */
  readonly graphql?: RestCode | 'OK';
  /** Called once for REST and once for GraphQL: what serves once is made anew. */
  readonly make: (cast: Cast) => Parts | Promise<Parts>;
}

/** A fault, named by its code unless it needs more words. */
export const by = (code: RestCode, make: Fault['make'], title: string = code): Fault => ({ code, title, make });

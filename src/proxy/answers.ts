import { CATALOGUE, type RefusalCode } from '../errors.ts';
import type { JourneyFailure } from './exits/journey.ts';
import type { DialFailure, Peer } from './relay/relay.ts';
import { encodeReply, REPLIES, type ReplyCode } from './socks5.ts';

/** Why a target that may be reached was not. `NO_SUCH_NAME`: it has no address. `LOOKUP_FAILED`: that could not be found out. */
export type TargetFailure = Exclude<DialFailure, 'NO_RESOURCES'> | 'NO_SUCH_NAME' | 'LOOKUP_FAILED';

/** Why a client is refused, with what makes the reason more precise. */
export interface Refusal {
  readonly code: RefusalCode;
  readonly message?: string;
  readonly retryAfterSeconds?: number;
}

/** How a client is told what became of its request, in the protocol that it speaks. */
export interface Answers {
  /** @param local the address from which the target was dialled, if it was dialled from this machine */
  opened(local: Peer | undefined): Uint8Array;
  /** After it was authenticated. */
  refused(refusal: Refusal): Uint8Array;
  failed(failure: TargetFailure): Uint8Array;
}

/**
 * A silent target is "host unreachable" like an unknown name: 06 (TTL expired) would claim a message
 * that the network did not send. What never made it to an attempt because the client left gets no reply at all.
 */
const FAILURE_REPLIES: Readonly<Record<TargetFailure, ReplyCode>> = {
  NETWORK_UNREACHABLE: REPLIES.NETWORK_UNREACHABLE,
  HOST_UNREACHABLE: REPLIES.HOST_UNREACHABLE,
  CONNECTION_REFUSED: REPLIES.CONNECTION_REFUSED,
  TIMED_OUT: REPLIES.HOST_UNREACHABLE,
  LOCAL_ADDRESS_MISSING: REPLIES.GENERAL_FAILURE,
  ABANDONED: REPLIES.GENERAL_FAILURE,
  NO_SUCH_NAME: REPLIES.HOST_UNREACHABLE,
  LOOKUP_FAILED: REPLIES.HOST_UNREACHABLE,
};

/** Replies of RFC 1928, section 6. The key was good at the login: whatever is wrong with it now is 02. */
export const SOCKS_ANSWERS: Answers = {
  opened: (local) => encodeReply(REPLIES.SUCCEEDED, local?.address, local?.port),
  refused({ code }) {
    const facts = CATALOGUE[code];
    const isOurs = 'socks' in facts && facts.socks === REPLIES.GENERAL_FAILURE;
    return encodeReply(isOurs ? REPLIES.GENERAL_FAILURE : REPLIES.NOT_ALLOWED);
  },
  failed: (failure) => encodeReply(FAILURE_REPLIES[failure]),
};

/** What a client is told when it gets no tunnel. */
export type Verdict = { readonly refusal: Refusal } | { readonly failure: TargetFailure };

/** What a client is told whose journey came to nothing: where the fault is ours it is a refusal. */
export function verdictOf(failure: JourneyFailure): Verdict {
  if (failure === 'NO_EXIT') return { refusal: { code: 'EXIT_UNAVAILABLE' } };
  return failure === 'NO_RESOURCES' ? { refusal: { code: 'SERVICE_UNAVAILABLE' } } : { failure };
}

export function encodeVerdict(answers: Answers, verdict: Verdict): Uint8Array {
  return 'refusal' in verdict ? answers.refused(verdict.refusal) : answers.failed(verdict.failure);
}

import type { Authentication, Refused } from './handshake.ts';
import type { House, RefusedClient } from './house.ts';
import { parseUsername, type UsernameFlags } from './username.ts';

/** What a username stands for; undefined: that could not be found out. */
export type Judgement = (answer: Authentication | undefined, flags: UsernameFlags) => void;

/** Judges the key and the flags of a username that a relay worker has reported. @param judged called once, maybe at once */
export function judgeUsername(house: House, client: RefusedClient, username: string, judged: Judgement): void {
  const { authenticate, log } = house;
  const { clientAddress, product } = client;
  const parsed = parseUsername(username);
  const act = (answer: Authentication | undefined): void => {
    if ('flags' in parsed) return judged(answer, parsed.flags);
    // Flags are judged when it is known whose key it is, so that the refusal can be shown on it.
    judged(answer !== undefined && 'key' in answer ? badUsername(answer.key.keyId, parsed.fault) : answer, {});
  };
  const failed = (error: unknown): void => {
    log.error({ err: error, product }, 'a key could not be judged');
    act(undefined);
  };
  try {
    const answer = authenticate(parsed.key, clientAddress, product);
    if (answer instanceof Promise) answer.then(act, failed);
    else act(answer);
  } catch (error) {
    failed(error);
  }
}

function badUsername(keyId: bigint, message: string): Refused {
  return { refusal: 'BAD_USERNAME', keyId, message };
}

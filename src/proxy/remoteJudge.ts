import type { Authentication, Refused } from './handshake.ts';
import type { House, RefusedClient } from './house.ts';
import { parseUsername, type UsernameFlags } from './username.ts';

/** What a username stands for. */
export type Judgement = (answer: Authentication, flags: UsernameFlags) => void;

/** Judges the key and the flags of a username that a relay worker has reported. @param judged called once, maybe at once */
export function judgeUsername(house: House, client: RefusedClient, username: string, judged: Judgement): void {
  const parsed = parseUsername(username);
  const act = (answer: Authentication): void => {
    if ('flags' in parsed) return judged(answer, parsed.flags);
    // Flags are judged when it is known whose key it is, so that the refusal can be shown on it.
    judged('key' in answer ? badUsername(answer.key.keyId, parsed.fault) : answer, {});
  };
  const answer = house.authenticate(parsed.key, client.clientAddress, client.product);
  if (answer instanceof Promise) void answer.then(act);
  else act(answer);
}

function badUsername(keyId: bigint, message: string): Refused {
  return { refusal: 'BAD_USERNAME', keyId, message };
}

import type { Authentication } from './handshake.ts';
import type { House, RefusedClient } from './house.ts';
import { parseUsername, type UsernameFlags } from './username.ts';

/** What a username stands for. */
export interface Judged {
  readonly answer: Authentication;
  /** None when they are wrong, or the key is. */
  readonly flags: UsernameFlags;
}

/** Judges the key and the flags of a username. @returns at once when the key is known already; never rejects */
export function judgeUsername(house: House, client: RefusedClient, username: string): Judged | Promise<Judged> {
  const parsed = parseUsername(username);
  const judge = (answer: Authentication): Judged => {
    if ('flags' in parsed) return { answer, flags: parsed.flags };
    if ('refusal' in answer) return { answer, flags: {} };
    // Flags are judged when it is known whose key it is, so that the refusal can be shown on it.
    return { answer: { refusal: 'BAD_USERNAME', keyId: answer.key.keyId, message: parsed.fault }, flags: {} };
  };
  const answer = house.authenticate(parsed.key, client.clientAddress, client.product);
  return answer instanceof Promise ? answer.then(judge) : judge(answer);
}

import type { Logger } from '../log.ts';
import type { Authentication, Refused } from './handshake.ts';
import type { House } from './house.ts';

/** Milliseconds in which whoever decides about a key has to answer; a client waits ten seconds for its handshake. */
export const JUDGE_TIMEOUT_MS = 5_000;

const UNJUDGED: Refused = { refusal: 'SERVICE_UNAVAILABLE' };

/**
 * Answers about keys in bounded time, come what may: `isUnjudged` when nobody could tell, because whoever decides
 * failed or took longer than `JUDGE_TIMEOUT_MS`.
 * @returns what neither throws nor rejects
 */
export function judgeInTime(authenticate: House['authenticate'], log: Logger): House['authenticate'] {
  return (username, clientAddress, product) => {
    const failed = (error: unknown): Refused => {
      log.error({ err: error, product }, 'a key could not be judged');
      return UNJUDGED;
    };
    try {
      const answer = authenticate(username, clientAddress, product);
      if (!(answer instanceof Promise)) return answer;
      return inTime(answer, () => log.error({ product }, 'a key could not be judged in time')).catch(failed);
    } catch (error) {
      return failed(error);
    }
  };
}

/** Nobody could tell whether the key is good: no fault of the client, and no answer for a bad key. */
export function isUnjudged({ refusal }: Refused): boolean {
  return refusal === UNJUDGED.refusal;
}

function inTime(answer: Promise<Authentication>, late: () => void): Promise<Authentication> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      late();
      resolve(UNJUDGED);
    }, JUDGE_TIMEOUT_MS);
    // The client may be gone by then, and the process end.
    timer.unref();
    answer.finally(() => clearTimeout(timer)).then(resolve, reject);
  });
}

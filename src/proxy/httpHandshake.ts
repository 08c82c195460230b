import type { AuthenticatedKey } from '../metering/session.ts';
import type { Answers } from './answers.ts';
import type { Authentication, Channel, Gate } from './handshake.ts';
import { httpAnswers, malformedAnswer } from './httpAnswers.ts';
import { decodeConnect, MalformedRequest, type ConnectRequest } from './httpConnect.ts';

export interface HttpNegotiated {
  readonly key: AuthenticatedKey;
  readonly request: ConnectRequest;
  readonly answers: Answers;
}

/**
 * The one message of HTTP CONNECT, with the key in it.
 * @returns undefined when it came to nothing; the client has its answer then
 */
export async function httpHandshake(channel: Channel, gate: Gate): Promise<HttpNegotiated | undefined> {
  let request: ConnectRequest | undefined;
  try {
    request = await channel.receive(decodeConnect);
  } catch (error) {
    if (!(error instanceof MalformedRequest)) throw error;
    channel.finish(malformedAnswer(error));
  }
  if (request === undefined) return undefined;
  const answers = httpAnswers(request.wantsJson);
  const answer = await authenticate(request, channel, gate, answers);
  if ('key' in answer) return { key: answer.key, request, answers };
  const { refusal: code, keyId, message, retryAfterSeconds } = answer;
  gate.refused(code, keyId, message);
  channel.finish(
    answers.refused({
      code,
      ...(message !== undefined && { message }),
      ...(retryAfterSeconds !== undefined && { retryAfterSeconds }),
    }),
  );
  return undefined;
}

async function authenticate(
  { username }: ConnectRequest,
  channel: Channel,
  gate: Gate,
  answers: Answers,
): Promise<Authentication> {
  // A browser asks without them first, and again with what its user typed: that is no attempt with a wrong key.
  if (username === undefined) return { refusal: 'NO_CREDENTIALS' };
  try {
    return await gate.authenticate(username);
  } catch (error) {
    channel.finish(answers.refused({ code: 'SERVICE_UNAVAILABLE' }));
    throw error;
  }
}

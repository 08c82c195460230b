import { pino, type DestinationStream, type Logger } from 'pino';

export type { Logger };

/** Field names whose values never reach a log, at any of the first three depths. */
const SECRET_FIELDS = [
  'password',
  'secret',
  'token',
  'refreshToken',
  'apiKey',
  'authorization',
  'cookie',
  'signature',
  'key',
  'username',
  'masterKey',
];

/** Structured logs as JSON lines on standard error; standard output belongs to the ready line. */
export function createLogger(level: string, destination: DestinationStream = pino.destination(2)): Logger {
  const paths = SECRET_FIELDS.flatMap((field) => [field, `*.${field}`, `*.*.${field}`]);
  return pino({ level, base: null, redact: { paths, censor: '[redacted]' } }, destination);
}

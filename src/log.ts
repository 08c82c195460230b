import { pino, stdSerializers, type DestinationStream, type Logger } from 'pino';

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

/** What a logged error shows: drivers hang statements' parameters and offending rows on theirs. */
const ERROR_FIELDS = ['type', 'message', 'stack', 'code'] as const;

/** Structured logs as JSON lines on standard error; standard output belongs to the ready line. */
export function createLogger(level: string, destination: DestinationStream = pino.destination(2)): Logger {
  const paths = SECRET_FIELDS.flatMap((field) => [field, `*.${field}`, `*.*.${field}`]);
  return pino(
    { level, base: null, serializers: { err: describe }, redact: { paths, censor: '[redacted]' } },
    destination,
  );
}

function describe(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const described: Record<string, unknown> = stdSerializers.err(error);
  return Object.fromEntries(ERROR_FIELDS.map((field) => [field, described[field]]));
}

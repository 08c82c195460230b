import { GraphQLError, Kind } from 'graphql';

import { formatCredits, parseCredits } from '../units.ts';
import { builder } from './builder.ts';

const BIG_INT = /^-?\d{1,19}$/;
const DATE_TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:\d{2})$/;
const DATE = /^\d{4}-\d{2}-\d{2}$/;

function refuse(name: string, expected: string): never {
  throw new GraphQLError(`${name} must be ${expected}.`);
}

function text(name: string, expected: string, value: unknown): string {
  return typeof value === 'string' ? value : refuse(name, expected);
}

const CREDITS = 'a string with an exact decimal of at most 9 decimals, such as "42.5"';
const RATE = 'a string with an exact decimal of at most 9 decimals, such as "0.85"';
const INTEGER = 'a string with a decimal integer, such as "50000000"';
const INSTANT = 'a string with an ISO 8601 date and time, such as "2026-03-28T12:00:00Z"';
const DAY = 'a string with an ISO 8601 date, such as "2026-03-28"';

builder.scalarType('Credits', {
  description: 'Credits as an exact decimal string with at most 9 decimals, such as "42.5". Never a float.',
  serialize: (amount) => formatCredits(amount),
  parseValue: (value) => parseCredits(text('Credits', CREDITS, value)) ?? refuse('Credits', CREDITS),
});

builder.scalarType('Decimal', {
  description: 'A rate or a price as an exact decimal string with at most 9 decimals, such as "0.85". Never a float.',
  serialize: (billionths) => formatCredits(billionths),
  parseValue: (value) => parseCredits(text('Decimal', RATE, value)) ?? refuse('Decimal', RATE),
});

builder.scalarType('BigInt', {
  description: 'A 64-bit integer as a decimal string, such as "50000000".',
  serialize: (value) => value.toString(),
  parseValue: (value) => {
    const digits = text('BigInt', INTEGER, value);
    return BIG_INT.test(digits) ? BigInt(digits) : refuse('BigInt', INTEGER);
  },
});

builder.scalarType('DateTime', {
  description: 'An instant in ISO 8601, in UTC, with milliseconds: "2026-03-28T12:00:00.000Z".',
  serialize: (at) => at.toISOString(),
  parseValue: (value) => {
    const iso = text('DateTime', INSTANT, value);
    const at = new Date(iso);
    return DATE_TIME.test(iso) && !Number.isNaN(at.getTime()) ? at : refuse('DateTime', INSTANT);
  },
});

builder.scalarType('Date', {
  description: 'A UTC calendar day in ISO 8601: "2026-03-28".',
  serialize: (day) => day,
  parseValue: (value) => {
    const day = text('Date', DAY, value);
    return DATE.test(day) && !Number.isNaN(Date.parse(day)) ? day : refuse('Date', DAY);
  },
  parseLiteral: (node) => (node.kind === Kind.STRING ? node.value : refuse('Date', DAY)),
});

import { randomUUID } from 'node:crypto';

import { Redis, type RedisOptions } from 'ioredis';

import { localEvents, type EventName, type Events } from '../events.ts';
import type { Logger } from '../log.ts';
import { decode, encode, isSent, type Envelope, type Message } from './wire.ts';

const CHANNEL = 'passerelle:events';
const CONNECT_TIMEOUT_MS = 2_000;
/** How long the start waits for Redis before it goes on without it. */
const START_WAIT_MS = 3_000;
const MAX_RETRY_PAUSE_MS = 2_000;
/** A connection that is silent although it is open (the other machine is gone) shows within the sum of these. */
const PING_MS = 500;
const ANSWER_TIMEOUT_MS = 1_000;
/** Messages on their way to Redis; beyond, they are dropped and the others find out by polling. */
const MAX_IN_FLIGHT = 1_000;
/** Events of one message: bounds how long another instance is busy reading it. */
const MAX_EVENTS_PER_MESSAGE = 500;

/** Events of a fleet. */
export interface RedisEvents extends Events {
  /** Whether events of other instances arrive now. */
  hearsOthers(): boolean;
  close(): Promise<void>;
}

/**
 * Events between the instances of a fleet, by Redis pub/sub. Here they are delivered at once, elsewhere
 * a moment later. Redis is a faster way and never the only one: while it is away nothing fails, the
 * others learn from the database. Back again, everybody here hears `eventsLost`.
 */
export async function redisEvents(url: string, log: Logger): Promise<RedisEvents> {
  const local = localEvents((error) => log.error({ err: error }, 'a listener failed'));
  const id = randomUUID();
  const publisher = new Redis(url, OPTIONS);
  // A connection that subscribes can do nothing else.
  const subscriber = new Redis(url, OPTIONS);
  const state = { hearing: false, heardBefore: false, inFlight: 0, complained: false };
  const complain = (error: unknown): void => {
    if (!state.complained) log.warn({ err: error }, 'Redis does not answer: other instances are heard by polling');
    state.complained = true;
  };
  /** What others revoke from now on is not heard: caches that relied on it are emptied. */
  const deaf = (): void => {
    if (!state.hearing) return;
    state.hearing = false;
    local.publish('eventsLost', { at: new Date() });
  };
  publisher.on('error', complain);
  subscriber.on('error', complain);
  subscriber.on('close', deaf);
  subscriber.on('ready', () => {
    const heard = (): void => {
      state.hearing = true;
      state.complained = false;
      if (state.heardBefore) local.publish('eventsLost', { at: new Date() });
      state.heardBefore = true;
    };
    subscriber.subscribe(CHANNEL).then(heard, complain);
  });
  subscriber.on('message', (_channel: string, text: string) => receive(local, log, id, text));

  const send = (envelope: Envelope): void => {
    if (publisher.status !== 'ready' || state.inFlight >= MAX_IN_FLIGHT) return;
    state.inFlight += 1;
    const sent = (): void => void (state.inFlight -= 1);
    publisher.publish(CHANNEL, encode(envelope)).then(sent, (error: unknown) => {
      sent();
      complain(error);
    });
  };
  const ping = (): void => {
    if (!state.hearing) return;
    subscriber.ping().catch((error: unknown) => {
      complain(error);
      deaf();
      subscriber.disconnect(true);
    });
  };
  const pinging = setInterval(ping, PING_MS).unref();
  await Promise.all([firstTry(publisher, complain), firstTry(subscriber, complain)]);
  return {
    publish(name, event) {
      local.publish(name, event);
      for (const envelope of envelopes({ from: id, name, event })) send(envelope);
    },
    subscribe: (name, listener) => local.subscribe(name, listener),
    hearsOthers: () => state.hearing,
    async close() {
      clearInterval(pinging);
      state.hearing = false;
      for (const client of [publisher, subscriber]) client.disconnect();
    },
  };
}

const OPTIONS: RedisOptions = {
  lazyConnect: true,
  connectTimeout: CONNECT_TIMEOUT_MS,
  commandTimeout: ANSWER_TIMEOUT_MS,
  // What cannot be sent now is not worth sending later: the database has it.
  enableOfflineQueue: false,
  maxRetriesPerRequest: 0,
  autoResubscribe: false,
  retryStrategy: (attempt) => Math.min(attempt * 100, MAX_RETRY_PAUSE_MS),
};

/** Connects, or goes on trying in the background. */
async function firstTry(client: Redis, complain: (error: unknown) => void): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, START_WAIT_MS);
  });
  await Promise.race([client.connect().catch(complain), late]);
  clearTimeout(timer);
}

function receive(local: Events, log: Logger, id: string, text: string): void {
  try {
    const envelope = decode(text);
    if (envelope.from !== id) local.publish<EventName>(envelope.name, envelope.event);
  } catch (error) {
    log.warn({ err: error }, 'a message on the events channel of Redis is not ours');
  }
}

/** The messages that carry an event: none when it stays here. */
function envelopes({ from, name, event }: Message): Envelope[] {
  if (!isSent(name)) return [];
  if (!Array.isArray(event) || event.length <= MAX_EVENTS_PER_MESSAGE) return [{ from, name, event }];
  const parts: Envelope[] = [];
  for (let start = 0; start < event.length; start += MAX_EVENTS_PER_MESSAGE) {
    parts.push({ from, name, event: event.slice(start, start + MAX_EVENTS_PER_MESSAGE) });
  }
  return parts;
}

import { Redis } from 'ioredis';

import type { Config } from './config.ts';
import { localEvents, type Events } from './events.ts';
import { redisEvents } from './live/redis.ts';
import type { Logger } from './log.ts';
import type { Teardown } from './teardown.ts';

/** Nobody waits longer for a count of failures: without an answer each instance counts by itself. */
const COUNT_TIMEOUT_MS = 500;

/** Events of this process, and of the fleet when there is Redis. */
export async function openEvents(
  config: Config,
  log: Logger,
  teardown: Teardown,
): Promise<{ events: Events; hearsOthers: () => boolean }> {
  if (config.REDIS_URL === undefined) {
    const events = localEvents((error) => log.error({ err: error }, 'a listener failed'));
    return { events, hearsOthers: () => false };
  }
  const events = await redisEvents(config.REDIS_URL, log);
  teardown.add('Redis', () => events.close());
  return { events, hearsOthers: () => events.hearsOthers() };
}

/** The connection that counts failed sign-ins of the fleet. While Redis is away each instance counts failures by itself. */
export function throttleRedis(config: Config, teardown: Teardown): Redis | undefined {
  if (config.REDIS_URL === undefined) return undefined;
  const redis = new Redis(config.REDIS_URL, {
    enableOfflineQueue: false,
    maxRetriesPerRequest: 1,
    commandTimeout: COUNT_TIMEOUT_MS,
  });
  redis.on('error', () => {}); // The connection of the events reports it.
  teardown.add('throttle', () => redis.disconnect());
  return redis;
}

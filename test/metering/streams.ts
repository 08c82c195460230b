import { newAccount, newKey } from '../resolvers/ledger/fixture.ts';
import type { Stream } from './stream.ts';
import type { TestInstance, World } from './world.ts';

/** Nano-credits. */
export const CREDIT = 10n ** 12n;

/** An account with a thousand credits and one key. */
export async function customer(world: World) {
  const account = await newAccount(world.db, CREDIT, world.now());
  return { account, key: await newKey(world.db, account) };
}

/** All streams pull as fast as they may until every one has ended. @returns milliseconds it took */
export async function pullDry(
  world: World,
  streams: readonly Stream[],
  limitMs = 10_000,
  chunk = 65_536,
): Promise<number> {
  const start = world.clock.now();
  while (streams.some((stream) => stream.ended === undefined)) {
    if (world.clock.now() - start > limitMs) throw new Error('the streams do not end');
    for (const stream of streams) stream.pull(chunk);
    await world.pass(10);
  }
  return world.clock.now() - start;
}

export async function two(
  world: World,
  instance: TestInstance,
  account: bigint,
  key: bigint,
): Promise<[Stream, Stream]> {
  return [await world.stream(instance, account, key), await world.stream(instance, account, key)];
}

export async function opened(world: World, instance: TestInstance, account: bigint, key: bigint, count: number) {
  const streams: Stream[] = [];
  for (let each = 0; each < count; each += 1) streams.push(await world.stream(instance, account, key));
  return streams;
}

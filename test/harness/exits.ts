import type { Exits, Services } from '../../src/context.ts';
import { parseExits } from '../../src/proxy/exits/config.ts';
import { ExitPool } from '../../src/proxy/exits/pool.ts';
import { createRoster, type Roster } from '../../src/resolvers/exits/roster.ts';

/** A roster with its pools, as an instance with these EXITS_SHARED and EXITS_DEDICATED has them. */
export interface TestExits extends Roster {
  readonly pools: Readonly<Record<'SHARED' | 'DEDICATED', ExitPool>>;
}

/** Not started: it looks when it is told to. */
export function openExits(
  services: Pick<Services, 'db' | 'events' | 'keys' | 'log'>,
  { shared = 'direct', dedicated = 'direct' }: { readonly shared?: string; readonly dedicated?: string } = {},
): TestExits {
  const pools = { SHARED: poolOf(shared), DEDICATED: poolOf(dedicated) };
  const roster = createRoster(services, pools);
  return {
    pools,
    name: roster.name,
    list: () => roster.list(),
    refresh: () => roster.refresh(),
    start: () => roster.start(),
    close: () => roster.close(),
  };
}

function poolOf(text: string): ExitPool {
  const parsed = parseExits(text);
  if ('faults' in parsed) throw new Error(parsed.faults.join('; '));
  return new ExitPool(parsed.exits);
}

/** For servers without a data plane. */
export const NO_EXITS: Exits = { list: () => [], name: () => '', refresh: () => Promise.resolve() };

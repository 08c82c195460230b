import { parseExits, type ExitSpec } from '../../../src/proxy/exits/config.ts';
import type { Blame } from '../../../src/proxy/exits/exit.ts';
import { Journey, type Departure } from '../../../src/proxy/exits/journey.ts';
import { ExitPool, type Traveller } from '../../../src/proxy/exits/pool.ts';
import type { DialFailure } from '../../../src/proxy/relay/relay.ts';

export function specs(text: string): readonly ExitSpec[] {
  const parsed = parseExits(text);
  if ('faults' in parsed) throw new Error(parsed.faults.join('; '));
  return parsed.exits;
}

export const THREE = 'http://a:1,http://b:1,http://c:1';

export interface Client {
  readonly account?: bigint;
  readonly key?: bigint;
  readonly session?: string;
  readonly ttlMs?: number;
}

export const travellerOf = ({ account = 1n, key = 1n, session, ttlMs = 600_000 }: Client): Traveller => ({
  accountId: account,
  keyId: key,
  session: session === undefined ? undefined : { id: session, ttlMs },
});

/** What an attempt comes to; `undefined` when it opens. */
export type Fate = readonly [DialFailure, Blame] | undefined;

/** A pool under a clock that the test moves. */
export class World {
  now = 0;
  readonly pool: ExitPool;

  constructor(text: string) {
    this.pool = new ExitPool(specs(text));
  }

  journey(client: Client = {}, addresses: readonly [string, ...string[]] = ['192.0.2.1'], timeoutMs = 10_000): Journey {
    const plan = { traveller: travellerOf(client), addresses, port: 80, timeoutMs };
    return new Journey(this.pool, plan, () => this.now);
  }

  /** Goes until it is open or over. @returns each attempt as `exit > address`, and what the client is told */
  travel(
    journey: Journey,
    fate: (exit: string, address: string) => Fate = () => undefined,
  ): { readonly attempts: string[]; readonly end: string; readonly departure?: Departure } {
    const attempts: string[] = [];
    for (;;) {
      const attempt = journey.next();
      if (attempt === undefined) return { attempts, end: journey.failure };
      const { spec, address } = attempt;
      attempts.push(`${spec.label} > ${address}`);
      const outcome = fate(spec.label, address);
      if (outcome === undefined) {
        const departure = journey.opened();
        return { attempts, end: 'open', departure };
      }
      journey.failed({ failure: outcome[0], blame: outcome[1], detail: `${outcome[0]} of ${spec.label}` });
    }
  }

  /** Opens a connection. @returns its exit */
  leave(client: Client = {}): string | undefined {
    return this.travel(this.journey(client)).departure?.label;
  }

  stats(label: string) {
    const found = this.pool.stats.find(({ id }) => id === label);
    if (found === undefined) throw new Error(`no exit ${label}`);
    return found;
  }
}

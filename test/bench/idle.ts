import type { SwarmCommand, SwarmCount } from '../e2e/connections/swarm.ts';
import { startChild } from '../e2e/connections/child.ts';
import type { TargetCommand, TargetPorts } from '../e2e/connections/target.ts';
import { startBareRelay, startFullServer, type Contender } from './relay/contenders.ts';
import { machine, median, option, residentKb, spread } from './relay/measure.ts';

/**
 * Memory of an idle proxied connection: what the process grew by between none and all of them, divided by
 * their number. Clients, target and proxy are processes of their own; every round starts a new proxy and
 * warms it up first, so that compiled code and caches are not taken for connections.
 * `--connections N` (9,500 fit into 20,000 descriptors) `--rounds N`
 */
const CONNECTIONS = option('connections', 5_000);
const ROUNDS = option('rounds', 3);
const WARM_UP = 500;
/** KB per idle connection that the portable relay promises to stay below. */
const PROMISED_KB = 20;

type Measured = Contender & { readonly pid: number };

async function measure(start: () => Promise<Measured>): Promise<number> {
  await using proxy = await start();
  await using target = startChild<TargetCommand>('target');
  await using swarm = startChild<SwarmCommand>('swarm');
  const { echo } = await target.ask<TargetPorts>({ do: 'listen' });
  const order = { do: 'open', proxyPort: proxy.port, key: proxy.key, targetPort: echo } as const;
  await swarm.ask({ ...order, connections: WARM_UP });
  await swarm.ask({ do: 'ping' });
  await swarm.ask({ do: 'reset' });
  const before = residentKb(proxy.pid);
  const { open, faults } = await swarm.ask<SwarmCount>({ ...order, connections: CONNECTIONS });
  if (open < CONNECTIONS) throw new Error(`${open} of ${CONNECTIONS} opened: ${faults.join(', ')}`);
  await swarm.ask({ do: 'ping' });
  const after = residentKb(proxy.pid);
  await swarm.ask({ do: 'reset' });
  return (after - before) / CONNECTIONS;
}

console.log(machine());
const samples = new Map<string, number[]>();
const contenders = [
  ['passerelle', startFullServer],
  ['passerelle, relay only', startBareRelay],
] as const;
for (let round = 0; round < ROUNDS; round += 1) {
  for (const [name, start] of contenders) samples.set(name, [...(samples.get(name) ?? []), await measure(start)]);
}
console.log(`${CONNECTIONS} idle connections, KB of RSS each: median [least..greatest] of ${ROUNDS} rounds`);
for (const [name, list] of samples) {
  const verdict = median(list) <= PROMISED_KB ? 'kept' : 'BROKEN';
  console.log(`  ${name.padEnd(24)}${spread(list, 1).padEnd(22)}promise of at most ${PROMISED_KB} KB: ${verdict}`);
}

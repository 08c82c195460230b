import { setTimeout as delay } from 'node:timers/promises';

import type { SwarmCommand, SwarmCount } from '../e2e/connections/swarm.ts';
import { startChild } from '../e2e/connections/child.ts';
import type { TargetCommand, TargetPorts } from '../e2e/connections/target.ts';
import { startBareRelay, startFullServer, type Contender } from './relay/contenders.ts';
import { machine, median, option, residentKb, spread } from './relay/measure.ts';

/**
 * Memory of idle proxied connections that have each relayed a byte: what the process grew by since it had
 * none, divided by their number, and the same without the first fifth, on which growth happens that comes
 * once. Clients, target and proxy are processes of their own; every round starts new ones, and a few
 * connections come and go first, so that compiled code is not taken for connections.
 *
 * Memory that the server's start freed and the process kept is used up first, which flatters the server:
 * the relay alone, which has none, is measured beside it.
 * `--connections N` (9,500 fit into 20,000 descriptors) `--rounds N`
 */
const CONNECTIONS = option('connections', 5_000);
const ROUNDS = option('rounds', 3);
const FIRST = Math.ceil(CONNECTIONS / 5);
const WARM_UP = 500;
/** For so long nothing flows before memory is read: the connections are idle. */
const IDLE_MS = 2_000;
/** KB of RSS per idle connection that are promised, and those that the fast relay aims at. */
const PROMISED_KB = 20;
const AIMED_KB = 2;

type Measured = Contender & { readonly pid: number };

/** KB of RSS per connection. */
interface Sample {
  readonly all: number;
  readonly beyondFirst: number;
}

async function measure(start: () => Promise<Measured>): Promise<Sample> {
  await using proxy = await start();
  await using target = startChild<TargetCommand>('target');
  await using swarm = startChild<SwarmCommand>('swarm');
  const { echo } = await target.ask<TargetPorts>({ do: 'listen' });
  const add = async (connections: number): Promise<SwarmCount> => {
    await swarm.ask({ do: 'open', proxyPort: proxy.port, key: proxy.key, targetPort: echo, connections });
    const count = await swarm.ask<SwarmCount>({ do: 'ping' });
    await delay(IDLE_MS);
    return count;
  };
  await add(WARM_UP);
  await swarm.ask({ do: 'reset' });
  const none = residentKb(proxy.pid);
  await add(FIRST);
  const first = residentKb(proxy.pid);
  const { open, faults } = await add(CONNECTIONS - FIRST);
  if (open < CONNECTIONS) throw new Error(`${open} of ${CONNECTIONS} are open: ${faults.join(', ')}`);
  const all = residentKb(proxy.pid);
  await swarm.ask({ do: 'reset' });
  return { all: (all - none) / CONNECTIONS, beyondFirst: (all - first) / (CONNECTIONS - FIRST) };
}

console.log(machine());
const server: Sample[] = [];
const fast: Sample[] = [];
const portable: Sample[] = [];
for (let round = 0; round < ROUNDS; round += 1) {
  server.push(await measure(startFullServer));
  fast.push(await measure(() => startBareRelay('fast')));
  portable.push(await measure(() => startBareRelay('portable')));
}
console.log(`${CONNECTIONS} idle connections, KB of RSS each: median [least..greatest] of ${ROUNDS} rounds`);
for (const [name, list] of Object.entries({
  passerelle: server,
  'fast relay only': fast,
  'portable relay only': portable,
})) {
  const columns = [list.map(({ all }) => all), list.map(({ beyondFirst }) => beyondFirst)] as const;
  console.log(
    `  ${name.padEnd(24)}${spread(columns[0], 1).padEnd(22)}beyond the first ${FIRST}: ${spread(columns[1], 1)}`,
  );
}
const [ours, alone] = [median(server.map(({ all }) => all)), median(portable.map(({ all }) => all))];
const kept = ours <= PROMISED_KB && alone <= PROMISED_KB;
console.log(`  promise, at most ${PROMISED_KB} KB whatever relays: ${kept ? 'kept' : 'BROKEN'}`);
console.log(`  aim of the server on the fast relay, at most ${AIMED_KB} KB: ${ours <= AIMED_KB ? '' : 'not '}reached`);
process.exitCode = kept ? 0 : 1;

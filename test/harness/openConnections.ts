import type { Services } from '../../src/context.ts';
import { createConnections } from '../../src/live/connections/connections.ts';
import type { Connections, ProxyProtocol } from '../../src/openConnection.ts';
import { createCellTable } from '../../src/metering/cells.ts';
import { ConnectionView } from '../../src/proxy/connectionView.ts';
import type { Member } from '../../src/proxy/house.ts';
import { KeyMembers } from '../../src/proxy/keyMembers.ts';

/** The instance that tests without others are. */
export const TEST_INSTANCE = '00000000-0000-4000-8000-000000000001';
const MOST = 100_000;
const CELLS = createCellTable((bytes) => new ArrayBuffer(bytes));

/** Connections without a proxy: whatever the test puts among `members` is open. */
export interface TestConnections extends Connections, AsyncDisposable {
  readonly members: KeyMembers;
}

/** @param instanceId with it, other instances on the same database are asked too */
export function openTestConnections(
  services: Pick<Services, 'db' | 'events' | 'log'>,
  instanceId?: string,
): TestConnections {
  const members = new KeyMembers(MOST);
  const connections = createConnections({
    ...services,
    local: () => members,
    instanceId: () => instanceId ?? TEST_INSTANCE,
    shared: instanceId !== undefined,
  });
  return Object.assign(connections, { members, [Symbol.asyncDispose]: () => connections.close() });
}

/** A connection that relays nothing; the test moves its bytes. */
export class TestMember implements Member {
  readonly product = 'SHARED';
  readonly clientAddress = '192.0.2.1';
  readonly view = new ConnectionView();
  readonly key: Member['key'] & object;
  aborted = 0;
  readonly #members: KeyMembers;

  constructor(members: KeyMembers, keyId: bigint, options: TestMemberOptions = {}) {
    const { exit = 'direct', target, protocol = 'SOCKS5' } = options;
    this.#members = members;
    this.key = { keyId, accountId: 1n, ...(target !== undefined && { showTargets: true }) };
    if (!members.add(this, this.key)) throw new RangeError('too many');
    const { slab: cells, slot } = CELLS.take();
    this.view.bound({ cells, slot }, target?.[0] ?? '', target?.[1] ?? 0);
    this.view.exit = exit;
    this.view.protocol = protocol;
  }

  /** @param bytes sent, and received, by now */
  moved(up: number, down: number): this {
    const { session } = this.view;
    if (session === undefined) throw new Error('no session');
    session.cells.up[session.slot] = up;
    session.cells.down[session.slot] = down;
    return this;
  }

  denialBy(): undefined {
    return undefined;
  }

  abort(): void {
    this.aborted++;
  }

  /** It is over. */
  leave(): void {
    this.#members.delete(this);
  }
}

interface TestMemberOptions {
  readonly exit?: string;
  /** Given: the key shows its targets. */
  readonly target?: readonly [host: string, port: number];
  readonly protocol?: ProxyProtocol;
}

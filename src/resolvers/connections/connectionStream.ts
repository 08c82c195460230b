import type { ConnectionsView, FoundConnections, OpenConnection } from '../../openConnection.ts';
import { Sleep } from '../sleep.ts';
import { HEARTBEAT_MS, type LiveStream } from '../subscription.ts';

interface Counted {
  readonly at: Date;
  /** How many there are, those included that are not shown. */
  readonly total: number;
  /** false: an instance has not answered in time. */
  readonly complete: boolean;
}

/** What is open: first event of a stream. */
export interface ConnectionsSnapshot extends Counted {
  readonly __typename: 'ConnectionsSnapshot';
  readonly connections: readonly OpenConnection[];
}

/** What is different from what was told before. */
export interface ConnectionsChange extends Counted {
  readonly __typename: 'ConnectionsChange';
  readonly opened: readonly OpenConnection[];
  /** With what they have transferred by now. */
  readonly changed: readonly OpenConnection[];
  readonly closed: readonly OpenConnection[];
}

/** Nothing is. */
export interface ConnectionsHeartbeat extends Counted {
  readonly __typename: 'ConnectionsHeartbeat';
}

export type ConnectionsEvent = ConnectionsSnapshot | ConnectionsChange | ConnectionsHeartbeat;

/**
 * One reader's way through what is shown of open connections. It is pulled: a reader that is slow asks less often, and
 * is told what has become different since. All it keeps is what it told last.
 */
export class ConnectionStream implements LiveStream<ConnectionsEvent> {
  readonly #view: ConnectionsView;
  #told: FoundConnections | undefined;
  /** The look that was told last. */
  #looks = 0;
  readonly #sleep = new Sleep();
  #closed = false;
  #failure: Error | undefined;

  /** @param follow opens the view; its argument is called after each look */
  constructor(follow: (onLook: () => void) => ConnectionsView) {
    this.#view = follow(() => this.#sleep.wake());
  }

  async next(): Promise<ConnectionsEvent | undefined> {
    const deadline = performance.now() + HEARTBEAT_MS;
    while (!this.#closed) {
      const { latest, looks } = this.#view;
      if (latest !== undefined && looks !== this.#looks) {
        this.#looks = looks;
        const event = this.#tell(latest);
        if (event !== undefined) return event;
      }
      const woken = await this.#sleep.wait(deadline - performance.now());
      if (!woken && this.#told !== undefined) return this.#heartbeat(this.#told);
    }
    if (this.#failure !== undefined) throw this.#failure;
    return undefined;
  }

  close(failure?: Error): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#failure = failure;
    this.#view.close();
    this.#sleep.wake();
  }

  #tell(latest: FoundConnections): ConnectionsEvent | undefined {
    const told = this.#told;
    this.#told = latest;
    const { connections, total, complete } = latest;
    const at = new Date();
    if (told === undefined) return { __typename: 'ConnectionsSnapshot', at, total, complete, connections };
    const before = new Map(told.connections.map((connection) => [nameOf(connection), connection]));
    const opened: OpenConnection[] = [];
    const changed: OpenConnection[] = [];
    for (const connection of connections) {
      const name = nameOf(connection);
      const known = before.get(name);
      before.delete(name);
      if (known === undefined) opened.push(connection);
      else if (differs(known, connection)) changed.push(connection);
    }
    const closed = [...before.values()];
    const same = opened.length + changed.length + closed.length === 0;
    if (same && total === told.total && complete === told.complete) return undefined;
    return { __typename: 'ConnectionsChange', at, total, complete, opened, changed, closed };
  }

  #heartbeat({ total, complete }: FoundConnections): ConnectionsHeartbeat {
    return { __typename: 'ConnectionsHeartbeat', at: new Date(), total, complete };
  }
}

function nameOf({ instanceId, no }: OpenConnection): string {
  return `${instanceId}:${no}`;
}

/** What of a connection changes while it is open. */
function differs(before: OpenConnection, now: OpenConnection): boolean {
  return (
    before.bytesUp !== now.bytesUp ||
    before.bytesDown !== now.bytesDown ||
    before.exit !== now.exit ||
    before.target !== now.target
  );
}

import type { LocalConnection, LocalConnections } from '../openConnection.ts';
import type { AuthenticatedKey, Direction } from '../metering/session.ts';
import type { Member } from './house.ts';

/** Open connections by key, so many of each at most, in the order in which they came. */
export class KeyMembers implements LocalConnections {
  readonly #most: number;
  /** A set keeps the order: numbers and times only grow in it. */
  readonly #keys = new Map<bigint, Set<Member>>();
  #lastNo = 0;
  #lastMs = 0;

  /** @param most connections of one key at once */
  constructor(most: number) {
    this.#most = most;
  }

  /** @returns false when the key has as many as it may; the connection is not counted for it then */
  add(member: Member, key: AuthenticatedKey): boolean {
    const members = this.#keys.get(key.keyId) ?? new Set();
    if (members.size >= this.#most) return false;
    // Clocks are set back now and then; the order must not be.
    this.#lastMs = Math.max(this.#lastMs, Date.now());
    member.view.admitted(++this.#lastNo, this.#lastMs, key);
    this.#keys.set(key.keyId, members.add(member));
    return true;
  }

  delete(member: Member): void {
    const keyId = member.key?.keyId;
    if (keyId === undefined) return;
    const members = this.#keys.get(keyId);
    members?.delete(member);
    if (members?.size === 0) this.#keys.delete(keyId);
  }

  of(keyId: bigint): readonly Member[] {
    return [...(this.#keys.get(keyId) ?? [])];
  }

  count(keyIds: readonly bigint[]): number {
    return keyIds.reduce((sum, keyId) => sum + (this.#keys.get(keyId)?.size ?? 0), 0);
  }

  list(
    keyIds: readonly bigint[],
    size: number,
    passed: (connection: Pick<LocalConnection, 'no' | 'openedAtMs'>) => boolean = () => false,
  ): LocalConnection[] {
    const first = (keyId: bigint): [bigint, Member][] => {
      const found: [bigint, Member][] = [];
      for (const member of this.#keys.get(keyId) ?? []) {
        if (found.length >= size) break;
        if (found.length > 0 || !passed(member.view)) found.push([keyId, member]);
      }
      return found;
    };
    return keyIds
      .flatMap(first)
      .toSorted(([, left], [, right]) => left.view.no - right.view.no)
      .slice(0, size)
      .map(([keyId, member]) => shown(keyId, member));
  }

  find(keyIds: readonly bigint[], no: number): LocalConnection | undefined {
    const [found] = this.#entry(keyIds, no);
    return found === undefined ? undefined : shown(...found);
  }

  close(keyIds: readonly bigint[], no: number): LocalConnection | undefined {
    const [found] = this.#entry(keyIds, no);
    if (found === undefined) return undefined;
    const connection = shown(...found);
    const [, member] = found;
    // At once: its relay says later that it is over, and until then it would be found again.
    this.delete(member);
    member.abort();
    return connection;
  }

  /** Looked for and not kept in a table of its own: it is rare, and such a table would cost every connection. */
  #entry(keyIds: readonly bigint[], no: number): [bigint, Member][] {
    for (const keyId of keyIds) {
      for (const member of this.#keys.get(keyId) ?? []) if (member.view.no === no) return [[keyId, member]];
    }
    return [];
  }
}

function shown(keyId: bigint, { product, clientAddress, view }: Member): LocalConnection {
  const bytes = (direction: Direction): number => view.session?.cells[direction][view.session.slot] ?? 0;
  return {
    no: view.no,
    keyId,
    product,
    protocol: view.protocol,
    exit: view.exit ?? null,
    target: view.target ?? null,
    clientAddress,
    bytesUp: bytes('up'),
    bytesDown: bytes('down'),
    openedAtMs: view.openedAtMs,
  };
}

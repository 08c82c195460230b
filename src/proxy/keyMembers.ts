import type { Member } from './house.ts';

/** Open connections by key, so many of each at most. */
export class KeyMembers {
  readonly #most: number;
  readonly #keys = new Map<bigint, Set<Member>>();

  /** @param most connections of one key at once */
  constructor(most: number) {
    this.#most = most;
  }

  /** @returns false when the key has as many as it may; the connection is not counted for it then */
  add(member: Member, keyId: bigint): boolean {
    const members = this.#keys.get(keyId) ?? new Set();
    if (members.size >= this.#most) return false;
    this.#keys.set(keyId, members.add(member));
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
}

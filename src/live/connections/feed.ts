import { AppError } from '../../errors.ts';
import type { ConnectionsView, FoundConnections, ViewedKeys } from '../../openConnection.ts';

/** Distance of looks. */
const LOOK_MS = 1_000;
/** Followers of the same keys: each is told of up to hundreds of connections every second. */
const MAX_FOLLOWERS = 20;

/** What is shown of the connections of some keys: looked at once a second, for all who follow it. */
export class ConnectionFeed {
  readonly #keys: ViewedKeys;
  readonly #find: (keyIds: readonly bigint[]) => Promise<FoundConnections>;
  readonly #onError: (error: unknown) => void;
  readonly #onIdle: (looking: Promise<void>) => void;
  readonly #followers = new Set<() => void>();
  #latest: FoundConnections | undefined;
  #looks = 0;
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void>;

  /** @param parts.onIdle called once nobody follows any more, with the end of a look that is under way */
  constructor(
    keys: ViewedKeys,
    parts: {
      readonly find: (keyIds: readonly bigint[]) => Promise<FoundConnections>;
      readonly onError: (error: unknown) => void;
      readonly onIdle: (looking: Promise<void>) => void;
    },
  ) {
    this.#keys = keys;
    this.#find = parts.find;
    this.#onError = parts.onError;
    this.#onIdle = parts.onIdle;
    this.#looking = this.#look();
  }

  /** @throws AppError TOO_MANY_SUBSCRIPTIONS */
  follow(onLook: () => void): ConnectionsView {
    if (this.#followers.size >= MAX_FOLLOWERS) throw new AppError('TOO_MANY_SUBSCRIPTIONS');
    const follower = (): void => onLook();
    this.#followers.add(follower);
    const latest = (): FoundConnections | undefined => this.#latest;
    const looks = (): number => this.#looks;
    return {
      get latest() {
        return latest();
      },
      get looks() {
        return looks();
      },
      close: () => {
        if (!this.#followers.delete(follower) || this.#followers.size > 0) return;
        clearTimeout(this.#timer);
        this.#onIdle(this.#looking);
      },
    };
  }

  async #look(): Promise<void> {
    const started = performance.now();
    try {
      this.#latest = await this.#find(await this.#keys.load());
      this.#looks++;
      for (const follower of this.#followers) follower();
    } catch (error) {
      // What was found before stands; who follows hears by the heartbeat that nothing changes.
      this.#onError(error);
    }
    const pause = Math.max(0, LOOK_MS - (performance.now() - started));
    // Nobody follows yet while it is being made; a feed that was left is looked at no more.
    if (this.#followers.size === 0) return;
    this.#timer = setTimeout(() => {
      this.#looking = this.#look();
    }, pause).unref();
  }
}

import type { Sql } from '../database/sql.ts';
import { names, type CredentialRef, type EventMap, type Events, type OnDead, type OnRules } from '../events.ts';
import { rulesOf, type EndCause, type KeyRulesRow } from '../keyRules.ts';
import { NEWS, type News } from './credentialNews.ts';
import { repeat } from './repeat.ts';

/** How often credentials are checked: one that expires, or dies unheard, shows within twice this. */
const SWEEP_MS = 1_000;
/** How long a check holds for an API key while its revocation would be heard: a net below a lost event. */
const HEARD_MS = 30_000;

export interface CredentialsOptions {
  readonly db: Sql;
  readonly events: Events;
  /** Whether every revocation is heard now, wherever it happens. */
  readonly hearsAll: () => boolean;
  readonly onError: (error: unknown) => void;
}

/** Tells streams when the credential they live on dies, or may less than before. */
export interface Credentials {
  watch(credential: CredentialRef, onDead: OnDead, onRules?: OnRules): () => void;
  close(): void;
}

interface Listener {
  readonly onDead: OnDead;
  readonly onRules: OnRules | undefined;
}

interface Watched {
  /** Under which it is found. */
  name: string;
  credential: CredentialRef;
  readonly listeners: Set<Listener>;
  /** When it was last asked for, by the clock of `performance`; never: it may have died just before the watch. */
  checkedAt: number;
  /** When it will end by itself, in milliseconds since 1970. */
  endsAtMs: number;
  /** Of the rules that the listeners know. */
  rulesNo: number | undefined;
}

/**
 * Revocation on this instance, or through Redis on another, is heard at once. What is not heard, and
 * what expires, is found by one statement a second over the distinct credentials that need it.
 */
export function watchCredentials({ db, events, hearsAll, onError }: CredentialsOptions): Credentials {
  const watched = new Map<string, Watched>();
  const kill = (dead: Watched, cause: EndCause): void => {
    if (watched.get(dead.name) !== dead) return;
    watched.delete(dead.name);
    for (const { onDead } of dead.listeners) onDead(cause);
  };
  /** From now on it is one of another account, and is asked for again: it may have died there. */
  const move = (entry: Watched, userId: bigint): void => {
    if (watched.get(entry.name) !== entry) return;
    watched.delete(entry.name);
    // Beside the watch of who comes with the key from now on.
    entry.name = `${entry.name} > ${userId}`;
    entry.credential = { ...entry.credential, userId };
    entry.checkedAt = NEVER;
    watched.set(entry.name, entry);
  };
  const learn = (entry: Watched, { cause, owner, ...news }: News): void => {
    entry.endsAtMs = news.ends_at?.getTime() ?? Infinity;
    if (cause === 'MOVED' && owner !== null && entry.credential.follows === true) move(entry, owner);
    else if (cause === null) obey(entry, news);
    else kill(entry, cause);
  };
  const ask = async (entries: readonly Watched[]): Promise<void> => {
    const now = performance.now();
    for (const entry of entries) entry.checkedAt = now;
    try {
      const found = await db.query<News>(NEWS, columns(entries));
      for (const news of found) entries.slice(news.n - 1, news.n).forEach((entry) => learn(entry, news));
    } catch (error) {
      for (const entry of entries) entry.checkedAt = NEVER;
      onError(error);
    }
  };
  const sweep = async (): Promise<void> => {
    const since = performance.now() - (hearsAll() ? HEARD_MS : 0);
    const entries = [...watched.values()].filter((entry) => isDue(entry, since));
    if (entries.length > 0) await ask(entries);
  };
  const unsubscribe = [
    events.subscribe('credentialsChanged', (event) => {
      const concerned = [...watched.values()].filter(({ credential }) => concerns(event, credential));
      for (const entry of concerned) if (kills(event, entry.credential)) kill(entry, causeOf(event));
      const alive = concerned.filter((entry) => watched.get(entry.name) === entry);
      if (alive.length > 0) void ask(alive);
    }),
    events.subscribe('eventsLost', () => {
      for (const entry of watched.values()) entry.checkedAt = NEVER;
    }),
  ];
  const stopSweeping = repeat(sweep, () => SWEEP_MS);
  return {
    watch(credential, onDead, onRules) {
      const name = nameOf(credential);
      const entry = watched.get(name) ?? newlyWatched(name, credential);
      watched.set(name, entry);
      tellAgain(entry, credential);
      const listener = { onDead, onRules };
      entry.listeners.add(listener);
      return () => {
        if (entry.listeners.delete(listener) && entry.listeners.size === 0 && watched.get(entry.name) === entry) {
          watched.delete(entry.name);
        }
      };
    },
    close() {
      stopSweeping();
      for (const stop of unsubscribe) stop();
    },
  };
}

const NEVER = Number.NEGATIVE_INFINITY;

function newlyWatched(name: string, credential: CredentialRef): Watched {
  return { name, credential, listeners: new Set(), checkedAt: NEVER, endsAtMs: Infinity, rulesNo: credential.rulesNo };
}

/** Who joins may know older rules than those that were told before: they are asked for and told once more, to all. */
function tellAgain(entry: Watched, { rulesNo }: CredentialRef): void {
  if (rulesNo === undefined || entry.rulesNo === undefined || rulesNo >= entry.rulesNo) return;
  entry.rulesNo = rulesNo;
  entry.checkedAt = NEVER;
}

/** Sessions expire by themselves, of which no event tells; so do keys, at a time that is known. */
function isDue({ credential, checkedAt, endsAtMs }: Watched, since: number): boolean {
  return credential.sessionId !== null || checkedAt <= since || endsAtMs <= Date.now();
}

/** Answers may overtake each other: what is older than what is known is not told. */
function obey(entry: Watched, news: KeyRulesRow): void {
  if (entry.rulesNo === undefined || news.rules_no <= entry.rulesNo) return;
  entry.rulesNo = news.rules_no;
  const rules = rulesOf(news);
  for (const { onRules } of entry.listeners) onRules?.(rules);
}

function concerns(event: EventMap['credentialsChanged'], credential: CredentialRef): boolean {
  return event.accountId === credential.userId && names(event, credential);
}

/** Of a credential that the event concerns. */
function kills(event: EventMap['credentialsChanged'], { lookup }: CredentialRef): boolean {
  if (lookup !== undefined && event.lookups.length > 0) return event.lookups.includes(lookup);
  return event.revoked;
}

function causeOf({ keyId, sessionId, sessionsBut, lookups }: EventMap['credentialsChanged']): EndCause {
  if (lookups.length > 0) return 'REPLACED';
  return keyId === null && sessionId === null && sessionsBut === undefined ? 'SUSPENDED' : 'REVOKED';
}

function nameOf({ userId, keyId, sessionId, lookup, rulesNo, follows }: CredentialRef): string {
  return `${userId} ${keyId ?? ''} ${sessionId ?? ''} ${lookup ?? ''} ${rulesNo ?? ''} ${follows ?? ''}`;
}

function columns(entries: readonly Watched[]): unknown[][] {
  const credentials = entries.map(({ credential }) => credential);
  return [
    credentials.map(({ userId }) => userId),
    credentials.map(({ keyId }) => keyId),
    credentials.map(({ sessionId }) => sessionId),
    credentials.map(({ lookup }) => lookup ?? null),
    entries.map(({ rulesNo }) => rulesNo ?? null),
  ];
}

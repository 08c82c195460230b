import { sql, type Sql } from '../database/sql.ts';
import { names, type CredentialRef, type EventMap, type Events } from '../events.ts';
import { repeat } from './repeat.ts';

/** How often credentials are checked: one that expires, or dies unheard, shows within twice this. */
const SWEEP_MS = 1_000;
/** How long a check holds for an API key while its revocation would be heard: a net below a lost event. */
const HEARD_MS = 30_000;

/** Positions (from 1) of those credentials that no longer open anything. */
const DEAD = sql(
  'credentialsDead',
  `select c.n::int as n
   from unnest($1::bigint[], $2::bigint[], $3::uuid[], $4::text[]) with ordinality
     as c (user_id, key_id, session_id, lookup, n)
   where c.key_id is not null and not exists (
       select 1 from api_key k where k.id = c.key_id and k.account_id = c.user_id and k.active)
     or c.lookup is not null and not exists (
       select 1 from api_key_secret s where s.lookup = decode(c.lookup, 'hex')
         and (s.expires_at is null or s.expires_at > clock_timestamp()))
     or c.session_id is not null and not exists (
       select 1 from session s where s.id = c.session_id and s.revoked_at is null and s.expires_at > clock_timestamp())`,
);

export interface CredentialsOptions {
  readonly db: Sql;
  readonly events: Events;
  /** Whether every revocation is heard now, wherever it happens. */
  readonly hearsAll: () => boolean;
  readonly onError: (error: unknown) => void;
}

/** Tells streams when the credential they live on dies. */
export interface Credentials {
  watch(credential: CredentialRef, onDead: () => void): () => void;
  close(): void;
}

interface Watched {
  readonly credential: CredentialRef;
  readonly listeners: Set<() => void>;
  /** When it was last asked for, by the clock of `performance`; never: it may have died just before the watch. */
  checkedAt: number;
}

/**
 * Revocation on this instance, or through Redis on another, is heard at once. What is not heard, and
 * sessions that expire, are found by one statement a second over the distinct credentials that need it.
 */
export function watchCredentials({ db, events, hearsAll, onError }: CredentialsOptions): Credentials {
  const watched = new Map<string, Watched>();
  const kill = (name: string, dead: Watched): void => {
    watched.delete(name);
    for (const listener of dead.listeners) listener();
  };
  const unsubscribe = [
    events.subscribe('credentialsChanged', (event) => {
      for (const [name, entry] of watched) if (kills(event, entry.credential)) kill(name, entry);
    }),
    events.subscribe('eventsLost', () => {
      for (const entry of watched.values()) entry.checkedAt = NEVER;
    }),
  ];
  const sweep = async (): Promise<void> => {
    const now = performance.now();
    const validMs = hearsAll() ? HEARD_MS : 0;
    const entries = [...watched].filter(([, entry]) => isDue(entry, now - validMs));
    if (entries.length === 0) return;
    for (const [, entry] of entries) entry.checkedAt = now;
    try {
      const rows = await db.query<{ n: number }>(DEAD, columns(entries.map(([, entry]) => entry.credential)));
      for (const { n } of rows) {
        const entry = entries[n - 1];
        if (entry !== undefined) kill(...entry);
      }
    } catch (error) {
      for (const [, entry] of entries) entry.checkedAt = NEVER;
      onError(error);
    }
  };
  const stopSweeping = repeat(sweep, () => SWEEP_MS);
  return {
    watch(credential, onDead) {
      const name = nameOf(credential);
      const entry = watched.get(name) ?? { credential, listeners: new Set(), checkedAt: NEVER };
      watched.set(name, entry);
      const listener = (): void => onDead();
      entry.listeners.add(listener);
      return () => {
        if (entry.listeners.delete(listener) && entry.listeners.size === 0 && watched.get(name) === entry) {
          watched.delete(name);
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

/** Sessions expire by themselves, of which no event tells. */
function isDue({ credential, checkedAt }: Watched, since: number): boolean {
  return credential.sessionId !== null || checkedAt <= since;
}

function kills(event: EventMap['credentialsChanged'], credential: CredentialRef): boolean {
  if (event.accountId !== credential.userId || !names(event, credential)) return false;
  const { lookup } = credential;
  if (lookup !== undefined && event.lookups.length > 0) return event.lookups.includes(lookup);
  return event.revoked;
}

function nameOf({ userId, keyId, sessionId, lookup }: CredentialRef): string {
  return `${userId} ${keyId ?? ''} ${sessionId ?? ''} ${lookup ?? ''}`;
}

function columns(credentials: readonly CredentialRef[]): unknown[][] {
  return [
    credentials.map(({ userId }) => userId),
    credentials.map(({ keyId }) => keyId),
    credentials.map(({ sessionId }) => sessionId),
    credentials.map(({ lookup }) => lookup ?? null),
  ];
}

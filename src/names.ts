import { readFileSync } from 'node:fs';
import { Resolver } from 'node:dns/promises';

/** Finds the addresses of a name: IPv4 first, empty when it has none. Must settle by itself. */
export type Lookup = (name: string) => Promise<readonly string[]>;

/** One query is tried twice for this long, so that an answer or a failure comes within 5 seconds. */
const QUERY_TIMEOUT_MS = 2_000;
const QUERY_TRIES = 2;

/** Answers that mean "no such record"; anything else is a failure of the name server. */
const NO_RECORD = new Set(['ENODATA', 'ENOTFOUND']);

/**
 * Names as this machine sees them: `localhost` (RFC 6761), its hosts file, then its name servers.
 * Not `dns.lookup`: that occupies one of four threads, shared with password hashing and files,
 * for as long as a dead name server takes to time out. Names are absolute: no search domains.
 * @param hostsFile read once, at the start; absent is the same as empty
 */
export function systemLookup(hostsFile = '/etc/hosts'): Lookup {
  const hosts = readHosts(hostsFile);
  const resolver = new Resolver({ timeout: QUERY_TIMEOUT_MS, tries: QUERY_TRIES });
  return async (name) => {
    const known = hosts.get(name);
    if (known !== undefined) return known;
    if (name === 'localhost' || name.endsWith('.localhost')) return ['127.0.0.1', '::1'];
    const [four, six] = await Promise.allSettled([resolver.resolve4(name), resolver.resolve6(name)]);
    const found = [four, six].flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
    if (found.length > 0) return found;
    for (const answer of [four, six]) {
      if (answer.status === 'rejected' && !NO_RECORD.has(codeOf(answer.reason))) throw answer.reason;
    }
    return [];
  };
}

function readHosts(path: string): ReadonlyMap<string, readonly string[]> {
  const hosts = new Map<string, string[]>();
  for (const line of readLines(path)) {
    const [address, ...names] = line.replace(/#.*/, '').trim().toLowerCase().split(/\s+/);
    for (const name of names) hosts.set(name, [...(hosts.get(name) ?? []), address ?? '']);
  }
  return hosts;
}

function readLines(path: string): readonly string[] {
  try {
    return readFileSync(path, 'utf8').split('\n');
  } catch {
    return [];
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}

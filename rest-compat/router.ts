import { flatten } from './sources.ts';
import type { Row } from './table.ts';

interface Segment {
  readonly name: string;
  readonly pattern: RegExp;
}

/** What a path leads to. */
export interface Found<Entry> {
  readonly byMethod: ReadonlyMap<string, Entry>;
  readonly params: Readonly<Record<string, string>>;
}

interface Pattern<Entry> {
  readonly segments: readonly (string | Segment)[];
  readonly byMethod: Map<string, Entry>;
}

const ANYTHING = /^[^/]+$/;
const NO_PARAMS: Readonly<Record<string, string>> = {};

/** Finds the entry of a path. Literal segments win over parameters; a trailing slash does not matter. */
export class Router<Entry> {
  readonly #literal = new Map<string, Found<Entry> & { readonly byMethod: Map<string, Entry> }>();
  readonly #patterns = new Map<string, Pattern<Entry>>();

  /** @throws Error for two entries of one method and path */
  add(path: string, row: Pick<Row, 'method' | 'variables'>, entry: Entry): void {
    const methods = path.includes('/:') ? this.#pattern(path, row) : this.#exact(path);
    if (methods.has(row.method)) throw new Error(`two rows for ${row.method} ${path}`);
    methods.set(row.method, entry);
  }

  find(path: string): Found<Entry> | undefined {
    const exact = path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path;
    return this.#literal.get(exact) ?? this.#match(exact.split('/'));
  }

  #exact(path: string): Map<string, Entry> {
    const found = this.#literal.get(path) ?? { byMethod: new Map<string, Entry>(), params: NO_PARAMS };
    this.#literal.set(path, found);
    return found.byMethod;
  }

  #pattern(path: string, row: Pick<Row, 'variables'>): Map<string, Entry> {
    const known = this.#patterns.get(path);
    if (known !== undefined) return known.byMethod;
    const sources = flatten(row.variables).map(([, { facts }]) => facts);
    const segments = path.split('/').map((segment) => {
      const name = segment.slice(1);
      const pattern = sources.find((facts) => facts.place === 'path' && facts.name === name)?.segment;
      return segment.startsWith(':') ? { name, pattern: pattern ?? ANYTHING } : segment;
    });
    const byMethod = new Map<string, Entry>();
    this.#patterns.set(path, { segments, byMethod });
    return byMethod;
  }

  #match(parts: readonly string[]): Found<Entry> | undefined {
    for (const { segments, byMethod } of this.#patterns.values()) {
      const params = matchSegments(segments, parts);
      if (params !== undefined) return { byMethod, params };
    }
    return undefined;
  }
}

function matchSegments(
  segments: readonly (string | Segment)[],
  parts: readonly string[],
): Record<string, string> | undefined {
  if (segments.length !== parts.length) return undefined;
  const params: Record<string, string> = {};
  for (const [index, segment] of segments.entries()) {
    const part = parts[index] ?? '';
    if (typeof segment === 'string') {
      if (segment !== part) return undefined;
    } else {
      if (!segment.pattern.test(part)) return undefined;
      params[segment.name] = part;
    }
  }
  return params;
}

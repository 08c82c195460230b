import { AppError } from '../errors.ts';

/** Page of a connection that is asked for without `first` and `last`. */
export const DEFAULT_PAGE = 20;
/** Longest page; longer ones are clamped. */
export const MAX_PAGE = 100;

export interface PageArgs {
  readonly first?: number | null | undefined;
  readonly last?: number | null | undefined;
  readonly after?: string | null | undefined;
  readonly before?: string | null | undefined;
}

export interface Connection<Row> {
  readonly edges: { readonly cursor: string; readonly node: Row }[];
  readonly pageInfo: {
    readonly hasNextPage: boolean;
    readonly hasPreviousPage: boolean;
    readonly startCursor: string | null;
    readonly endCursor: string | null;
  };
}

/** What to fetch for a page: `limit` rows strictly between the cursors, from the end when `backward`. */
export interface Slice<Position> {
  readonly after: Position | null;
  readonly before: Position | null;
  readonly limit: number;
  readonly backward: boolean;
}

/** How the rows of a connection are numbered: two decimal numbers, compared in order. */
export type Position = readonly [bigint, bigint];

/**
 * Keyset pagination as Relay specifies it. `fetch` gets one row more than the page, to see whether
 * there are others; it answers in the order of the slice's direction.
 * @throws AppError BAD_INPUT for malformed cursors, negative counts, or `first` together with `last`
 */
export async function connect<Row>(
  args: PageArgs,
  positionOf: (row: Row) => Position,
  fetch: (slice: Slice<Position>) => Promise<Row[]>,
): Promise<Connection<Row>> {
  const { size, backward } = pageSize(args);
  const after = parseCursor('after', args.after);
  const before = parseCursor('before', args.before);
  const rows = await fetch({ after, before, limit: size + 1, backward });
  const more = rows.length > size;
  const page = rows.slice(0, size);
  if (backward) page.reverse();
  const edges = page.map((node) => new Edge(node, positionOf));
  return {
    edges,
    pageInfo: {
      hasNextPage: backward ? before !== null : more,
      hasPreviousPage: backward ? more : after !== null,
      get startCursor() {
        return edges[0]?.cursor ?? null;
      },
      get endCursor() {
        return edges.at(-1)?.cursor ?? null;
      },
    },
  };
}

/** A row in a page; its cursor is written when it is asked for. */
class Edge<Row> {
  readonly node: Row;
  readonly #positionOf: (row: Row) => Position;

  constructor(node: Row, positionOf: (row: Row) => Position) {
    this.node = node;
    this.#positionOf = positionOf;
  }

  get cursor(): string {
    return formatCursor(this.#positionOf(this.node));
  }
}

function pageSize({ first, last }: PageArgs): { size: number; backward: boolean } {
  const backward = last !== null && last !== undefined;
  if (backward && first !== null && first !== undefined) {
    throw new AppError('BAD_INPUT', { message: 'Give either `first` or `last`, not both.', field: 'last' });
  }
  const size = last ?? first ?? DEFAULT_PAGE;
  if (size < 0) {
    const field = backward ? 'last' : 'first';
    throw new AppError('BAD_INPUT', { message: `${field} must not be negative.`, field });
  }
  return { size: Math.min(size, MAX_PAGE), backward };
}

const CURSOR = /^(-?\d{1,16}):(\d{1,19})$/;
/** What the database counts with: 64 bits. */
const MAX_MINOR = 2n ** 63n - 1n;

function formatCursor([major, minor]: Position): string {
  return Buffer.from(`${major}:${minor}`).toString('base64url');
}

function parseCursor(field: string, cursor: string | null | undefined): Position | null {
  if (cursor === null || cursor === undefined) return null;
  const [, major, minor] = CURSOR.exec(Buffer.from(cursor, 'base64url').toString()) ?? [];
  if (major === undefined || minor === undefined || BigInt(minor) > MAX_MINOR) {
    throw new AppError('BAD_INPUT', { message: `${field} is no cursor of this connection.`, field });
  }
  return [BigInt(major), BigInt(minor)];
}

/** Objects whose members are named by data: days, types and labels. */
const KEYED = /^(?:daily|summary|summary\.\w+\.by_subtype)$/;

/**
 * How an answer differs in shape from the documented one: members that are missing, of another type, in another
 * order, or beyond it and not in `additions` (`hourly[].hour`). The documented null stands for any plain value or
 * null, the documented `{}` for an object that the page has abbreviated.
 */
export function differences(documented: unknown, actual: unknown, additions: readonly string[] = []): string[] {
  return compare(documented, actual, { path: '', additions });
}

interface Place {
  readonly path: string;
  readonly additions: readonly string[];
}

function compare(documented: unknown, actual: unknown, place: Place): string[] {
  if (Array.isArray(documented)) return compareItems(documented, actual, place);
  if (isObject(documented)) return compareMembers(documented, actual, place);
  const plain = actual === null || typeof actual !== 'object';
  if (documented === null) return plain ? [] : [`${place.path}: ${typeOf(actual)}, not a plain value`];
  return typeof actual === typeof documented ? [] : [`${place.path}: ${typeOf(actual)}, not ${typeOf(documented)}`];
}

function compareItems(documented: readonly unknown[], actual: unknown, place: Place): string[] {
  if (!Array.isArray(actual)) return [`${place.path}: ${typeOf(actual)}, not a list`];
  if (actual.length === 0) return [`${place.path}: empty, so nothing is shown`];
  return actual.flatMap((item) => compare(documented[0], item, { ...place, path: `${place.path}[]` }));
}

type Members = Readonly<Record<string, unknown>>;

function compareMembers(documented: Members, actual: unknown, place: Place): string[] {
  if (!isObject(actual)) return [`${place.path}: ${typeOf(actual)}, not an object`];
  const names = Object.keys(documented);
  if (names.length === 0) return [];
  const at = (name: string): string => (place.path === '' ? name : `${place.path}.${name}`);
  if (KEYED.test(place.path)) {
    const [sample] = Object.values(documented);
    return Object.entries(actual).flatMap(([name, value]) =>
      compare(documented[name] ?? sample, value, { ...place, path: at(name) }),
    );
  }
  const own = Object.keys(actual).filter((name) => !place.additions.includes(at(name)));
  if (own.join() !== names.join()) return [`${place.path}: {${own.join()}}, not {${names.join()}}`];
  return names.flatMap((name) => compare(documented[name], actual[name], { ...place, path: at(name) }));
}

function isObject(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function typeOf(value: unknown): string {
  return value === null ? 'null' : Array.isArray(value) ? 'list' : typeof value;
}

/**
 * JSON whose numbers keep the text they were written with: `0.1` and `12.345678901` stay exact.
 * Read it only through the functions below.
 */
export type Json = null | boolean | string | readonly Json[] | JsonObject;
interface JsonObject {
  readonly [name: string]: Json;
}

const STRING_OR_NUMBER = /"(?:[^"\\]|\\[\s\S])*"|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/g;

/**
 * Strings, names included, come back with a leading `s` and numbers as text with a leading `n`.
 * The first parse only validates: on valid JSON the pattern finds exactly the strings and numbers,
 * in linear time.
 * @throws SyntaxError
 */
export function parseJson(text: string): Json {
  JSON.parse(text);
  const tag = (token: string): string => (token.startsWith('"') ? `"s${token.slice(1)}` : `"n${token}"`);
  return JSON.parse(text.replace(STRING_OR_NUMBER, tag)) as Json;
}

/** `{}` */
export const EMPTY_OBJECT: Json = {};

export function isObject(json: Json): json is JsonObject {
  return typeof json === 'object' && json !== null && !Array.isArray(json);
}

/** Member of an object; undefined when absent or when `json` is no object. */
export function memberOf(json: Json, name: string): Json | undefined {
  return isObject(json) ? json[`s${name}`] : undefined;
}

/** Names of the members of an object. */
export function namesOf(json: JsonObject): readonly string[] {
  return Object.keys(json).map((name) => name.slice(1));
}

/** The value of a string, else undefined. */
export function stringOf(json: Json): string | undefined {
  return typeof json === 'string' && json.startsWith('s') ? json.slice(1) : undefined;
}

/** The text of a number, as written, else undefined. */
export function numberTextOf(json: Json): string | undefined {
  return typeof json === 'string' && json.startsWith('n') ? json.slice(1) : undefined;
}

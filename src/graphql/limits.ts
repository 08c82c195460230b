import { Kind, type ArgumentNode, type ValueNode } from 'graphql';

/** What a document may be, checked before validation, whose rules are quadratic in places. */
export const LIMITS = {
  /** Lexical tokens; the parser stops at the next one. */
  tokens: 2_000,
  /** Levels of fields, fragments expanded. */
  depth: 10,
  /** Levels of fields from `__schema` or `__type` on: GraphiQL asks for 13. */
  introspectionDepth: 20,
  aliases: 30,
  directives: 50,
  /** Fields of one operation's root, fragments expanded. */
  rootFields: 20,
  /** Times that one response name may stand in one selection set: their merging is checked in pairs. */
  repeats: 10,
  fragments: 50,
  /** Fragments spread, in the whole document: overlaps are checked for pairs of them. */
  spreads: 200,
  operations: 10,
  /** Lists and objects in each other, in an argument or a default value. */
  valueDepth: 20,
  /** Characters of a name; messages repeat names. */
  nameLength: 128,
  /** Errors of parsing, validation and variables in one answer. */
  errors: 5,
  /** Sum of field costs (Pothos complexity), charged before execution. */
  cost: 10_000,
} as const;

/** Names and values of arguments. @throws LimitExceeded */
export function checkArguments(nodes: readonly ArgumentNode[] = []): void {
  for (const { name, value } of nodes) {
    checkName(name.value);
    checkValue(value, 0);
  }
}

/** @throws LimitExceeded when lists and objects are nested too deeply */
export function checkValue(value: ValueNode, depth: number): void {
  refuseAbove('valueDepth', depth);
  if (value.kind === Kind.LIST) for (const item of value.values) checkValue(item, depth + 1);
  if (value.kind === Kind.OBJECT) for (const field of value.fields) checkValue(field.value, depth + 1);
}

/** @throws LimitExceeded */
export function checkName(name: string): void {
  refuseAbove('nameLength', name.length);
}

/** @throws LimitExceeded when `value` is above the limit */
export function refuseAbove(limit: keyof typeof LIMITS, value: number): void {
  if (value > LIMITS[limit]) throw new LimitExceeded(`${limit} may be at most ${LIMITS[limit]}`);
}

/** A document is larger or deeper than `LIMITS` allow. */
export class LimitExceeded extends Error {
  override readonly name = 'LimitExceeded';

  constructor(what: string) {
    super(`The document exceeds a limit: ${what}.`);
  }
}

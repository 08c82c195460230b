import {
  Kind,
  type DefinitionNode,
  type DirectiveNode,
  type DocumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
  type SelectionSetNode,
} from 'graphql';

import { checkArguments, checkName, checkValue, refuseAbove } from './limits.ts';

/** Levels of fields below a point, counted apart for introspection. */
interface Height {
  readonly ordinary: number;
  readonly introspection: number;
  /** Fields with fragments expanded. */
  readonly fields: number;
}

/** What the limits let through. */
export interface Measure {
  /** Fields of all operations, fragments expanded at every spread. */
  readonly fields: number;
}

/**
 * Measures a parsed, not yet validated document in time linear in its size: fragments are measured once,
 * and cycles (which validation refuses) are cut.
 * @throws LimitExceeded, which names the limit
 */
export function checkLimits(document: DocumentNode): Measure {
  return new Walk(document).check();
}

class Walk {
  readonly #document: DocumentNode;
  readonly #fragments = new Map<string, FragmentDefinitionNode>();
  readonly #heights = new Map<string, Height | 'open'>();
  #aliases = 0;
  #directives = 0;
  #spreads = 0;

  constructor(document: DocumentNode) {
    this.#document = document;
    for (const definition of document.definitions)
      if (definition.kind === Kind.FRAGMENT_DEFINITION) this.#fragments.set(definition.name.value, definition);
  }

  check(): Measure {
    const { definitions } = this.#document;
    refuseAbove('operations', definitions.filter((node) => node.kind === Kind.OPERATION_DEFINITION).length);
    refuseAbove('fragments', definitions.filter((node) => node.kind === Kind.FRAGMENT_DEFINITION).length);
    let fields = 0;
    for (const definition of definitions) fields += this.#definition(definition);
    return { fields };
  }

  #definition(definition: DefinitionNode): number {
    if (definition.kind === Kind.FRAGMENT_DEFINITION) {
      // Unused fragments count too: validation walks them.
      const height = this.#fragment(definition.name.value);
      refuseAbove('depth', height.ordinary);
      return 0;
    }
    if (definition.kind !== Kind.OPERATION_DEFINITION) return 0;
    this.#countDirectives(definition.directives);
    for (const variable of definition.variableDefinitions ?? []) {
      checkName(variable.variable.name.value);
      if (variable.defaultValue !== undefined) checkValue(variable.defaultValue, 0);
      this.#countDirectives(variable.directives);
    }
    const height = this.#set(definition.selectionSet);
    refuseAbove('depth', height.ordinary);
    refuseAbove('introspectionDepth', height.introspection);
    refuseAbove('rootFields', this.#rootFields(definition.selectionSet, new Set()));
    return height.fields;
  }

  #set(set: SelectionSetNode): Height {
    const repeats = new Map<string, number>();
    let [ordinary, introspection, fields] = [0, 0, 0];
    for (const selection of set.selections) {
      this.#countDirectives(selection.directives);
      let height: Height;
      if (selection.kind === Kind.FIELD) {
        const name = selection.alias?.value ?? selection.name.value;
        const seen = (repeats.get(name) ?? 0) + 1;
        repeats.set(name, seen);
        refuseAbove('repeats', seen);
        height = this.#field(selection);
      } else if (selection.kind === Kind.INLINE_FRAGMENT) {
        height = this.#set(selection.selectionSet);
      } else {
        refuseAbove('spreads', ++this.#spreads);
        height = this.#fragment(selection.name.value);
      }
      ordinary = Math.max(ordinary, height.ordinary);
      introspection = Math.max(introspection, height.introspection);
      fields += height.fields;
    }
    return { ordinary, introspection, fields };
  }

  #field(field: FieldNode): Height {
    checkName(field.name.value);
    if (field.alias !== undefined) {
      checkName(field.alias.value);
      refuseAbove('aliases', ++this.#aliases);
    }
    checkArguments(field.arguments);
    const below = field.selectionSet === undefined ? LEAF : this.#set(field.selectionSet);
    const fields = below.fields + 1;
    if (field.name.value === '__schema' || field.name.value === '__type')
      return { ordinary: 1, introspection: 1 + Math.max(below.ordinary, below.introspection), fields };
    return {
      ordinary: below.ordinary + 1,
      introspection: below.introspection === 0 ? 0 : below.introspection + 1,
      fields,
    };
  }

  #fragment(name: string): Height {
    checkName(name);
    const known = this.#heights.get(name);
    const fragment = this.#fragments.get(name);
    if (known === 'open' || fragment === undefined) return LEAF;
    if (known !== undefined) return known;
    this.#heights.set(name, 'open');
    this.#countDirectives(fragment.directives);
    const height = this.#set(fragment.selectionSet);
    this.#heights.set(name, height);
    return height;
  }

  #rootFields(set: SelectionSetNode, seen: Set<string>): number {
    let count = 0;
    for (const selection of set.selections) {
      if (selection.kind === Kind.FIELD) count += 1;
      else if (selection.kind === Kind.INLINE_FRAGMENT) count += this.#rootFields(selection.selectionSet, seen);
      else if (!seen.has(selection.name.value)) {
        seen.add(selection.name.value);
        const fragment = this.#fragments.get(selection.name.value);
        if (fragment !== undefined) count += this.#rootFields(fragment.selectionSet, seen);
      }
    }
    return count;
  }

  #countDirectives(directives: readonly DirectiveNode[] | undefined): void {
    for (const directive of directives ?? []) {
      checkName(directive.name.value);
      checkArguments(directive.arguments);
      refuseAbove('directives', ++this.#directives);
    }
  }
}

const LEAF: Height = { ordinary: 0, introspection: 0, fields: 0 };

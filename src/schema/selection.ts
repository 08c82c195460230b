import type { GraphQLResolveInfo, SelectionSetNode } from 'graphql';

/** Whether a field directly below the one being resolved, fragments followed, has one of the names. */
export function selects(info: GraphQLResolveInfo, ...names: string[]): boolean {
  return info.fieldNodes.some(
    ({ selectionSet }) => selectionSet !== undefined && someField(selectionSet, info, (name) => names.includes(name)),
  );
}

/** Whether all fields directly below the one being resolved have one of the names. */
export function selectsOnly(info: GraphQLResolveInfo, ...names: string[]): boolean {
  return !info.fieldNodes.some(
    ({ selectionSet }) => selectionSet !== undefined && someField(selectionSet, info, (name) => !names.includes(name)),
  );
}

function someField(
  { selections }: SelectionSetNode,
  info: GraphQLResolveInfo,
  matches: (name: string) => boolean,
): boolean {
  return selections.some((selection) => {
    if (selection.kind === 'Field') return matches(selection.name.value);
    if (selection.kind === 'InlineFragment') return someField(selection.selectionSet, info, matches);
    const fragment = info.fragments[selection.name.value];
    return fragment !== undefined && someField(fragment.selectionSet, info, matches);
  });
}

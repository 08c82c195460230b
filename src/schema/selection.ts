import type { FieldNode, GraphQLResolveInfo, SelectionSetNode } from 'graphql';

/** Whether a field directly below the one being resolved, fragments followed, has one of the names. */
export function selects(info: GraphQLResolveInfo, ...names: string[]): boolean {
  return info.fieldNodes.some(
    ({ selectionSet }) => selectionSet !== undefined && someField(selectionSet, info, (name) => names.includes(name)),
  );
}

/** Whether all fields directly below the one being resolved have one of the names. */
export function selectsOnly(info: GraphQLResolveInfo, ...names: string[]): boolean {
  return below(info.fieldNodes, info, (name) => names.includes(name));
}

/** Whether a field below those at `path`, which leads down from the one being resolved, has one of the names. */
export function selectsAt(info: GraphQLResolveInfo, path: readonly string[], ...names: string[]): boolean {
  return !below(nodesAt(info, path), info, (name) => !names.includes(name));
}

/** Whether all fields below those at `path` have one of the names. */
export function selectsOnlyAt(info: GraphQLResolveInfo, path: readonly string[], names: readonly string[]): boolean {
  return below(nodesAt(info, path), info, (name) => names.includes(name));
}

function nodesAt(info: GraphQLResolveInfo, path: readonly string[]): readonly FieldNode[] {
  let nodes: readonly FieldNode[] = info.fieldNodes;
  for (const step of path) {
    const found: FieldNode[] = [];
    below(nodes, info, (name, node) => {
      if (name === step) found.push(node);
      return true;
    });
    nodes = found;
  }
  return nodes;
}

/** Whether `matches` holds for every field directly below the nodes. */
function below(
  nodes: readonly FieldNode[],
  info: GraphQLResolveInfo,
  matches: (name: string, node: FieldNode) => boolean,
): boolean {
  return !nodes.some(
    ({ selectionSet }) => selectionSet !== undefined && someField(selectionSet, info, (...seen) => !matches(...seen)),
  );
}

function someField(
  { selections }: SelectionSetNode,
  info: GraphQLResolveInfo,
  matches: (name: string, node: FieldNode) => boolean,
): boolean {
  return selections.some((selection) => {
    if (selection.kind === 'Field') return matches(selection.name.value, selection);
    if (selection.kind === 'InlineFragment') return someField(selection.selectionSet, info, matches);
    const fragment = info.fragments[selection.name.value];
    return fragment !== undefined && someField(fragment.selectionSet, info, matches);
  });
}

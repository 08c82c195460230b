import SchemaBuilder from '@pothos/core';
import ComplexityPlugin from '@pothos/plugin-complexity';
import DataloaderPlugin from '@pothos/plugin-dataloader';
import ErrorsPlugin from '@pothos/plugin-errors';
import PrismaPlugin from '@pothos/plugin-prisma';
import RelayPlugin from '@pothos/plugin-relay';
import ScopeAuthPlugin from '@pothos/plugin-scope-auth';
import ValidationPlugin from '@pothos/plugin-validation';

import type PrismaTypes from '../../prisma/generated/pothos.ts';
import { getDatamodel } from '../../prisma/generated/pothos.ts';
import type { OperationContext, Viewer, ViewerContext } from '../context.ts';
import { AppError, type ErrorCode } from '../errors.ts';
import { DEFAULT_PAGE, MAX_PAGE, type PageArgs } from '../resolvers/connection.ts';
import { hasScope, isOperator } from '../viewer.ts';
import { decodeNodeId, encodeNodeId } from './ids.ts';

interface SchemaTypes {
  Context: OperationContext;
  PrismaTypes: PrismaTypes;
  /**
   * `authenticated`: may read its account; `manage`: may change it; `admin`: the operator, to change anything.
   * Sessions may all that their user may, API keys what their scopes say.
   */
  AuthScopes: { authenticated: boolean; manage: boolean; admin: boolean };
  AuthContexts: { authenticated: ViewerContext; manage: ViewerContext; admin: ViewerContext };
  DefaultFieldNullability: false;
  DefaultEdgesNullability: { list: false; items: false };
  DefaultNodeNullability: false;
  Scalars: {
    ID: { Input: string; Output: string | bigint };
    Credits: { Input: bigint; Output: bigint };
    Decimal: { Input: bigint; Output: bigint };
    BigInt: { Input: bigint; Output: bigint };
    DateTime: { Input: Date; Output: Date };
    Date: { Input: string; Output: string };
  };
}

/** Plugins wrap in this order: errors outside, so that refusals of the others become typed errors too. */
export const builder = new SchemaBuilder<SchemaTypes>({
  plugins: [
    ComplexityPlugin,
    ErrorsPlugin,
    ScopeAuthPlugin,
    PrismaPlugin,
    RelayPlugin,
    DataloaderPlugin,
    ValidationPlugin,
  ],
  defaultFieldNullability: false,
  prisma: {
    client: (ctx) => ctx.db.prisma,
    dmmf: getDatamodel(),
    onUnusedQuery: 'error',
  },
  relay: {
    cursorType: 'String',
    encodeGlobalID: (typename, id) => encodeNodeId(typename, id),
    decodeGlobalID: (globalId) => decodeNodeId(globalId),
    idFieldOptions: { description: 'Global id: unique over all types, understood by `node`.' },
    nodeTypeOptions: { description: 'An object with a global id.' },
    nodesQueryOptions: false,
    nodeQueryOptions: {
      description:
        'Any object of the caller by its global id. An id that is malformed, unknown or of another account answers NOT_FOUND.',
      args: { id: { description: 'Global id.' } },
      authScopes: { authenticated: true },
      resolve: async (_root, { id }, _ctx, _info, resolveNode) => {
        const node = await resolveNode(id);
        if (node === null || node === undefined) throw new AppError('NOT_FOUND');
        return node;
      },
    },
    pageInfoTypeOptions: { description: 'Where a page of a connection lies in the whole.' },
    pageInfoFieldOptions: { description: 'Where this page lies.' },
    hasNextPageFieldOptions: { description: 'There are more items after this page.' },
    hasPreviousPageFieldOptions: { description: 'There are more items before this page.' },
    startCursorFieldOptions: { description: 'Cursor of the first item; null when the page is empty.' },
    endCursorFieldOptions: { description: 'Cursor of the last item; null when the page is empty.' },
    cursorFieldOptions: { description: 'Cursor of this item, for `after` and `before`.' },
    nodeFieldOptions: { description: 'The item itself.' },
    edgesFieldOptions: { description: 'The items of this page with their cursors.' },
    firstArgOptions: { description: `How many items from the start: 20 by default, at most ${MAX_PAGE}.` },
    lastArgOptions: { description: `How many items from the end, at most ${MAX_PAGE}.` },
    afterArgOptions: { description: 'Only items after this cursor.' },
    beforeArgOptions: { description: 'Only items before this cursor.' },
  },
  scopeAuth: {
    authorizeOnSubscribe: true,
    authScopes: ({ viewer }) => ({
      authenticated: hasScope(viewer, 'READ'),
      manage: hasScope(viewer, 'MANAGE'),
      admin: isOperator(viewer),
    }),
    unauthorizedError: (_parent, { viewer }) => new AppError(refusalOf(viewer)),
  },
  errors: {
    directResult: true,
    // Inputs hold no secrets of others: that one is malformed may be said before who asks is checked.
    unsafelyHandleInputErrors: true,
    defaultUnionOptions: {
      description: 'The success of the mutation, or a typed error.',
      name: ({ fieldName }) => `${fieldName.charAt(0).toUpperCase()}${fieldName.slice(1)}Result`,
    },
  },
  validation: {
    validationError: (failure) => {
      const [issue] = failure.issues;
      const field = issue?.path?.map((part) => (typeof part === 'object' ? part.key : part)).findLast(isName);
      const message = issue === undefined ? undefined : `${field ?? 'input'}: ${issue.message}`;
      return new AppError('BAD_INPUT', { ...(message && { message }), ...(field && { field }) });
    },
  },
  complexity: {
    // The executor charges the cost, before execution; here are only the prices.
    disabled: true,
    defaultListMultiplier: 1,
  },
});

function refusalOf(viewer: Viewer | null): ErrorCode {
  if (viewer === null) return 'UNAUTHENTICATED';
  return hasScope(viewer, 'MANAGE') ? 'FORBIDDEN' : 'INSUFFICIENT_SCOPE';
}

function isName(part: PropertyKey): part is string {
  return typeof part === 'string';
}

/** Cost of a connection: its fields count once per item. */
export function connectionComplexity(args: PageArgs): {
  field: number;
  multiplier: number;
} {
  return { field: 1, multiplier: Math.min(args.first ?? args.last ?? DEFAULT_PAGE, MAX_PAGE) };
}

builder.queryType({ description: 'What can be read.' });
builder.mutationType({ description: 'What can be changed. Each answers a union of its success and typed errors.' });
builder.subscriptionType({ description: 'What can be followed live, over WebSocket (graphql-transport-ws) or SSE.' });

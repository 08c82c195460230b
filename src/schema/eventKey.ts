import type { GraphQLResolveInfo } from 'graphql';

import type { OperationContext } from '../context.ts';
import { keysById, type KeyRequest } from '../resolvers/apiKeys/keysById.ts';
import { ApiKey } from './apiKey.ts';
import { selectsOnly } from './selection.ts';

/** The key of a live event, loaded only as far as it is selected. */
export const KEY_OF_EVENT = {
  type: ApiKey,
  load: (requests: KeyRequest[], ctx: OperationContext) => keysById(ctx, requests),
  // The context lives as long as the stream: limits must not be remembered.
  loaderOptions: { cache: false },
} as const;

/** Resolves a field of `KEY_OF_EVENT`. */
export function keyOfEvent(
  { keyId }: { readonly keyId: bigint },
  _args: object,
  _ctx: OperationContext,
  info: GraphQLResolveInfo,
): KeyRequest {
  return { id: keyId, idOnly: selectsOnly(info, 'id', 'databaseId', '__typename') };
}

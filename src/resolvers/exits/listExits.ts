import type { ExitState, OperationContext } from '../../context.ts';
import type { Product } from '../../units.ts';
import { isOperator } from '../../viewer.ts';

type Context = Pick<OperationContext, 'exits' | 'viewer'>;

/** Exits of this instance, of one product or of all, in the order in which they are taken; for the operator. */
export function listExits({ exits }: Pick<Context, 'exits'>, product: Product | null): ExitState[] {
  return exits.list().filter((exit) => product === null || exit.product === product);
}

/** Exits that are reserved for an account; the caller has checked whose it is. */
export function exitsOfAccount({ exits }: Pick<Context, 'exits'>, accountId: bigint): ExitState[] {
  return exits.list().filter(({ accountIds }) => accountIds.includes(accountId));
}

/** An exit that the caller may see: one of its own, the operator every one. null otherwise. */
export function visibleExit(ctx: Context, name: string): ExitState | null {
  const { viewer } = ctx;
  if (viewer === null) return null;
  const visible = isOperator(viewer) ? listExits(ctx, null) : exitsOfAccount(ctx, viewer.userId);
  return visible.find((exit) => exit.name === name) ?? null;
}

import type { Viewer } from './context.ts';
import type { KeyScope } from './keyRules.ts';

/** Whether the caller may do so; MANAGE includes reading. */
export function hasScope(viewer: Viewer | null, scope: KeyScope): boolean {
  return viewer !== null && (viewer.scopes.includes(scope) || (scope === 'READ' && viewer.scopes.includes('MANAGE')));
}

/**
 * Whether the caller acts for the service: sees and changes what is of others. A key of an administrator that may only
 * read, reads its own account.
 */
export function isOperator(viewer: Viewer | null): boolean {
  return viewer?.role === 'ADMIN' && hasScope(viewer, 'MANAGE');
}

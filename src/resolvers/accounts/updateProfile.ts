import type { User } from '../../../prisma/generated/client/client.ts';
import type { ViewerContext } from '../../context.ts';
import { sql } from '../../database/sql.ts';
import { audit } from '../audit/record.ts';
import { transaction } from '../transaction.ts';
import { loadUser } from './loadUser.ts';
import { lockLiveAccount } from './lockLiveAccount.ts';
import type { UserRow } from './rows.ts';

const SET_LANGUAGE = sql(
  'userSetLanguage',
  'update users set language = $2::language where id = $1 and language <> $2::language returning id',
);

/**
 * Changes the language in which the caller gets its mails.
 * @throws AppError UNAUTHENTICATED, see `lockLiveAccount`
 */
export function updateProfile(ctx: ViewerContext, language: User['language']): Promise<{ user: UserRow }> {
  const { userId } = ctx.viewer;
  return transaction(ctx, async (tx) => {
    await lockLiveAccount(tx, userId);
    const changed = await tx.query(SET_LANGUAGE, [userId, language]);
    if (changed.length > 0)
      await audit(tx, ctx, { accountId: userId, action: 'SETTINGS_UPDATED', detail: { language } });
    return { user: await loadUser(tx, userId) };
  });
}

import type { ViewerContext } from '../../context.ts';
import { sql, type Sql } from '../../database/sql.ts';
import { queueMail, type NewMail } from '../auth/mailQueue.ts';

const EMAIL = sql('walletOwnerEmail', 'select email from users where id = $1 and email is not null');

/**
 * Queues a mail to the owner of the caller's account, if it has an e-mail address: with an API key that leaked, somebody
 * else may be the one who calls. Wake the job after the commit.
 */
export async function tellOwner(
  tx: Sql,
  { viewer, clientAddress }: Pick<ViewerContext, 'viewer' | 'clientAddress'>,
  kind: NewMail['kind'],
): Promise<void> {
  const [owner] = await tx.query<{ email: string }>(EMAIL, [viewer.userId]);
  if (owner !== undefined) await queueMail(tx, { kind, recipient: owner.email, address: clientAddress });
}

import './scalars.ts';
import './enums.ts';
import './errors.ts';
import './limits.ts';
import './apiKey.ts';
import './apiKeyMutations.ts';
import './user.ts';
import './transaction.ts';
import './consumption.ts';
import './usage.ts';
import './session.ts';
import './sessions.ts';
import './wallet.ts';
import './emailAccount.ts';
import './account.ts';
import './pricing.ts';
import './settings.ts';
import './webhook.ts';
import './deposit.ts';
import './admin.ts';
import './audit.ts';
import './refusals.ts';
import './exit.ts';
import './exitMutations.ts';
import './exitUsage.ts';
import { builder } from './builder.ts';

/** The schema: everything that callers see. */
export const schema = builder.toSchema();

import type { ViewerContext } from '../../context.ts';
import { AppError } from '../../errors.ts';
import { findSettings } from './rows.ts';

/** What the receiver of a test event answered. */
export interface WebhookTest {
  /** It answered with a status of the 200s. */
  readonly delivered: boolean;
  /** HTTP status; 0 when there was no answer. */
  readonly status: number;
}

/**
 * Sends a test event to the caller's webhook. This version does not deliver webhooks yet.
 * @throws AppError NO_WEBHOOK when none is configured, else NOT_IMPLEMENTED
 */
export async function testWebhook(ctx: ViewerContext): Promise<WebhookTest> {
  const { webhookUrl } = await findSettings(ctx.db, ctx.viewer.userId);
  throw new AppError(webhookUrl === null ? 'NO_WEBHOOK' : 'NOT_IMPLEMENTED');
}

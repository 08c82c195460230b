import type { ServerResponse } from 'node:http';

/** Milliseconds that one check may take. */
const CHECK_TIMEOUT_MS = 2_000;

/** Parts that must work before traffic is sent here; each throws or rejects while it does not. */
export type ReadinessChecks = Readonly<Record<string, () => void | Promise<void>>>;

/** Liveness: the process answers. Says nothing of the database, or a fleet would be killed with it. */
export function answerHealth(response: ServerResponse): void {
  answerJson(response, 200, { status: 'ok' });
}

/** Readiness: 200 when every check passes, 503 with the names of those that fail, or while draining. */
export async function answerReady(response: ServerResponse, checks: ReadinessChecks, draining: boolean): Promise<void> {
  if (draining) {
    answerJson(response, 503, { status: 'draining' });
    return;
  }
  const states = await Promise.all(
    Object.entries(checks).map(async ([name, check]) => [name, await passes(check)] as const),
  );
  const ready = states.every(([, passed]) => passed);
  const outcome = Object.fromEntries(states.map(([name, passed]) => [name, passed ? 'ok' : 'failed']));
  answerJson(response, ready ? 200 : 503, { status: ready ? 'ready' : 'unavailable', checks: outcome });
}

async function passes(check: () => void | Promise<void>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), CHECK_TIMEOUT_MS);
  });
  const checked = (async () => {
    await check();
    return true;
  })().catch(() => false);
  const passed = await Promise.race([checked, late]);
  clearTimeout(timer);
  return passed;
}

/** Writes a small JSON answer that nobody may keep. */
export function answerJson(response: ServerResponse, status: number, body: unknown): void {
  const text = JSON.stringify(body);
  response.writeHead(status, {
    'content-type': 'application/json; charset=utf-8',
    'cache-control': 'no-store',
    'content-length': Buffer.byteLength(text),
  });
  response.end(text);
}

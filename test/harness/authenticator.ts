import { createKeyActivity, type KeyActivity } from '../../src/resolvers/apiKeys/keyActivity.ts';
import { createAuthenticator, type Authenticator } from '../../src/resolvers/auth/authenticate.ts';
import type { TestServices } from './context.ts';

/** An authenticator that believes good credentials for 30 seconds, with the activity of keys that it notes. */
export interface TestAuthenticator extends AsyncDisposable {
  readonly auth: Authenticator;
  readonly activity: KeyActivity;
}

export function openAuthenticator(services: TestServices): TestAuthenticator {
  const activity = createKeyActivity(services);
  const auth = createAuthenticator(services, { cacheMs: () => 30_000, activity });
  return {
    auth,
    activity,
    async [Symbol.asyncDispose]() {
      auth.close();
      await activity.close();
    },
  };
}

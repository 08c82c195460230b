import { serverAudits } from 'graphql-http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { startFixture, type RunningFixture } from '../http/fixture.ts';

/** All audits of the public suite for GraphQL over HTTP, against the plain path and against Yoga. */
describe.each([
  ['plain JSON path', false],
  ['Yoga', true],
])('GraphQL over HTTP through the %s', (_name, alwaysYoga) => {
  let fixture: RunningFixture;
  beforeAll(async () => {
    fixture = await startFixture({ alwaysYoga });
  });
  afterAll(() => fixture.server.close());

  const audits = serverAudits({ url: () => `${fixture.origin}/graphql`, fetchFn: fetch });
  it('has 61 audits', () => expect(audits).toHaveLength(61));
  it.each(audits.map((audit) => [audit.name, audit] as const))('%s', async (_audit, audit) => {
    const result = await audit.fn();
    expect(result.status === 'ok' ? 'ok' : result.reason).toBe('ok');
  });
});

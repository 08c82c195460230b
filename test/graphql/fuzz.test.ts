import { expect, it } from 'vitest';

import { acceptedStatuses, mutate, randomDocument, seededRandom } from './documents.ts';
import { CANARY } from './fixtureSchema.ts';
import { post, startFixture } from '../http/fixture.ts';

const DOCUMENTS = Number(process.env['GRAPHQL_FUZZ'] ?? 5_000);
const SEED = Number(process.env['FUZZ_SEED'] ?? Date.now() % 1_000_000);
const PARALLEL = 16;

it(
  `answers ${DOCUMENTS} random documents without a fault (seed ${SEED})`,
  { timeout: 60_000 + DOCUMENTS * 20 },
  async () => {
    await using fixture = await startFixture();
    const random = seededRandom(SEED);
    let done = 0;
    const seen = new Map<number, number>();
    const worker = async (): Promise<void> => {
      while (done < DOCUMENTS) {
        done += 1;
        const whole = randomDocument(random);
        const params = mutate(random, { query: whole, variables: { n: 1 } });
        const { status, body } = await post(fixture.origin, params, {
          accept: random() < 0.5 ? 'application/json' : 'application/graphql-response+json',
        });
        seen.set(status, (seen.get(status) ?? 0) + 1);
        expect(acceptedStatuses, `${JSON.stringify(params)} → ${body}`).toContain(status);
        expect(body).not.toContain(CANARY);
        expect(body).not.toMatch(/node_modules|\bat .*:\d+:\d+/);
        const answer: unknown = JSON.parse(body);
        expect(answer).toSatisfy((value: object) => 'data' in value || 'errors' in value);
      }
    };
    await Promise.all(Array.from({ length: PARALLEL }, worker));
    // The run was worth something: documents were executed and documents were refused.
    expect(seen.get(200)).toBeGreaterThan(DOCUMENTS / 10);
    expect(seen.get(400)).toBeGreaterThan(DOCUMENTS / 10);
    expect((await post(fixture.origin, { query: '{ hello }' })).body).toBe('{"data":{"hello":"hello world"}}');
  },
);

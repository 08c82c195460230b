import { expect } from 'vitest';

import type { TestServer } from '../../harness/server.ts';
import { replay, sampleOf, type Answer, type RealValues } from './replay.ts';
import { differences } from './shape.ts';

/** Where the documented lines are replayed: the server itself, or something in front of it. */
export interface Target {
  readonly base: string;
  readonly server: TestServer;
  /** It answers in place of a server that says 501, so that nobody hears of it (Prism does). */
  readonly mocks501?: boolean;
}

/** Members beyond the documented ones; whatever else is new fails until it is named here. */
const ADDITIONS: Readonly<Record<string, readonly string[]>> = {
  'GET /keys/usage/daily': ['hourly[].hour'],
};

type Values = Omit<RealValues, 'base'>;

/** Replays documented operations against a target and keeps which. */
export class Visit {
  readonly target: Target;
  readonly visited = new Set<string>();

  constructor(target: Target) {
    this.target = target;
  }

  /** One documented call that succeeds in the documented shape. @returns its JSON */
  readonly go = async <Body = unknown>(route: string, values: Values = {}): Promise<Body> => {
    const answer = await this.call(route, values);
    expect(answer.status, `${route}: ${answer.text}`).toBe(200);
    expect(differences(sampleOf(route).response, answer.json, ADDITIONS[route]), route).toEqual([]);
    return answer.json as Body;
  };

  /** One documented call, however it ends: always JSON that nobody keeps. */
  readonly call = async (route: string, values: Values = {}): Promise<Answer> => {
    this.visited.add(route);
    const answer = await replay(sampleOf(route).curl, { base: this.target.base, ...values });
    expect(answer.headers.get('content-type'), `${route}: ${answer.text}`).toBe('application/json; charset=utf-8');
    expect(answer.headers.get('cache-control'), route).toBe('no-store');
    return answer;
  };
}

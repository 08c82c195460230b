import { describe, expect, it } from 'vitest';

import { lpf } from '../../../rest-compat/dialects/lpf.ts';
import { sampleOf, SAMPLES, substitute } from './replay.ts';
import { differences } from './shape.ts';

const base = 'http://127.0.0.1:4000';

describe('a documented curl line', () => {
  it('takes real values for its placeholders and stays as it is', () => {
    const { curl } = sampleOf('PUT /keys/:id');
    expect(substitute(curl, { base, credential: 'lpf_1', id: 7, body: { name: "d'ici" } })).toBe(
      [
        `curl -X PUT "http://127.0.0.1:4000/keys/7" \\`,
        `  -H "Authorization: Bearer lpf_1" \\`,
        `  -H "Content-Type: application/json" \\`,
        String.raw`  -d '{"name":"d'\''ici","daily_limit":1,"weekly_limit":1,"monthly_limit":1}'`,
      ].join('\n'),
    );
    const { curl: filter } = sampleOf('GET /keys/transactions');
    const query = { type: 'deposit', subtype: undefined, api_key_id: undefined };
    expect(substitute(filter, { base, credential: 'lpf_1', query })).toContain('?page=1&limit=1&type=deposit&"');
  });

  it('is refused with a placeholder left or a value too many', () => {
    const { curl } = sampleOf('GET /keys');
    expect(() => substitute(curl, { base })).toThrow('VOTRE_CLE_API is left');
    expect(() => substitute(curl, { base, credential: 'x', id: 1 })).toThrow('has no /:id');
    expect(() => substitute(curl, { base, credential: 'x', query: { page: 1 } })).toThrow('has no parameter page');
    const register = sampleOf('POST /auth/register').curl;
    expect(() => substitute(register, { base, body: { name: 'x' } })).toThrow('has no name');
    expect(() => substitute(register, { base, body: { username: 'x' } })).toThrow('needs email,password');
  });

  it('is there for each of the 32 operations, with a sample of the answer', () => {
    expect(SAMPLES).toHaveLength(32);
    for (const { route, curl, response } of SAMPLES) {
      expect(curl.startsWith(`curl -X ${route.split(' ')[0]} "https://prx.lv${route.split(' ')[1]}`)).toBe(true);
      expect(response).toBeTypeOf('object');
    }
  });
});

describe('a shape', () => {
  const documented = sampleOf('GET /keys/usage/daily').response;
  const day = { mutualise: 0, dedie: 0, navigateur: 0, total: 0, deposits: 0 };
  const daily = { '2026-01-01': day, '2026-01-02': day };

  it('fits whatever the data are called', () => {
    expect(differences(documented, { daily, hourly: [day, day] })).toEqual([]);
  });

  it('differs by what is missing, added, of another type or empty', () => {
    const { total: _total, ...partial } = day;
    expect(differences(documented, { daily })).toEqual([': {daily}, not {daily,hourly}']);
    expect(differences(documented, { daily, hourly: [] })).toEqual(['hourly: empty, so nothing is shown']);
    expect(differences(documented, { daily, hourly: [partial] })).toEqual([
      'hourly[]: {mutualise,dedie,navigateur,deposits}, not {mutualise,dedie,navigateur,total,deposits}',
    ]);
    expect(differences(documented, { daily: { x: { ...day, total: '0' } }, hourly: [day] })).toEqual([
      'daily.x.total: string, not number',
    ]);
    const added = { daily, hourly: [{ ...day, hour: 0 }] };
    expect(differences(documented, added)).toHaveLength(1);
    expect(differences(documented, added, ['hourly[].hour'])).toEqual([]);
    expect(differences({ none: null }, { none: {} })).toEqual(['none: object, not a plain value']);
  });
});

describe('the examples in our OpenAPI document', () => {
  it.each(SAMPLES)('$route: show what the page shows', ({ route, response, request }) => {
    const example = lpf.examples[route];
    expect(differences(response, example?.reply, ['hourly[].hour'])).toEqual([]);
    expect(example?.reply).toMatchObject(valuesOf(response) as object);
    expect(Object.keys(example?.request ?? {})).toEqual(Object.keys(request ?? {}));
  });
});

/** The documented values, without those that the page abbreviates (`eyJhbGci...`, `{}`). */
function valuesOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(valuesOf);
  if (typeof value !== 'object' || value === null) return value;
  const whole = Object.entries(value).filter(
    ([, one]) => typeof one !== 'string' || !one.endsWith('...') || PREVIEW.test(one),
  );
  return Object.fromEntries(whole.map(([name, one]) => [name, valuesOf(one)]));
}

/** Previews end so themselves. */
const PREVIEW = /^(?:lpf_.{4}|0x.{4})\.\.\.$/;

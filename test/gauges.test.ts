import { expect, test } from 'vitest';

import { registerCredit } from '../src/gauges.ts';
import { createMetrics } from '../src/http/metrics.ts';
import { MAX_AMOUNT } from '../src/units.ts';
import { makeAccount, openTestServices } from './harness/context.ts';

test('sums beyond 64 bits are shown, and a figure that cannot be read leaves the others alone', async () => {
  await using services = await openTestServices();
  for (let n = 0; n < 3; n += 1) await makeAccount(services);
  const brim = { name: 'testBrim', text: 'update account set balance = $1, reserved = $1' };
  await services.db.query(brim, [MAX_AMOUNT]);
  const metrics = createMetrics();
  registerCredit(metrics, {
    db: services.db,
    drift() {
      throw new Error('the ledger was not looked at');
    },
  });
  const figure = (text: string, name: string): number =>
    Number(new RegExp(`^passerelle_${name} (.+)$`, 'm').exec(text)?.[1]?.replace('Nan', 'NaN') ?? 'absent');
  const full = await metrics.print();
  expect(figure(full, 'accounts')).toBe(3);
  expect(figure(full, 'balance_nanocredits')).toBe(3 * Number(MAX_AMOUNT));
  expect(figure(full, 'reserved_nanocredits')).toBe(3 * Number(MAX_AMOUNT));
  expect(full).toContain('passerelle_ledger_drift Nan');
  await services.db.query({ name: 'testBroken', text: 'alter table account rename column reserved to lent' });
  const broken = await metrics.print();
  expect(figure(broken, 'balance_nanocredits')).toBe(3 * Number(MAX_AMOUNT));
  expect(figure(broken, 'accounts')).toBe(3);
  expect(broken).toContain('passerelle_reserved_nanocredits Nan');
});

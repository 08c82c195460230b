import { expect, test } from 'vitest';

import { Health } from '../../../src/proxy/exits/health.ts';

/** Three failures at time 0: the first pause, of one second, begins. */
function quarantined(): Health {
  const health = new Health();
  for (let count = 0; count < 3; count++) health.failed(0, health.begin(0));
  return health;
}

test('three failures in a row begin a pause, two and a success do not', () => {
  const health = new Health();
  health.failed(0, false);
  health.failed(0, false);
  expect(health.admits(0)).toBe(true);
  health.succeeded();
  health.failed(0, false);
  health.failed(0, false);
  expect([health.state, health.admits(0)]).toEqual(['HEALTHY', true]);
  health.failed(0, false);
  expect([health.state, health.admits(0), health.admits(999), health.pausedUntil]).toEqual([
    'QUARANTINED',
    false,
    false,
    1_000,
  ]);
});

test('after the pause one connection at a time probes', () => {
  const health = quarantined();
  expect(health.admits(1_000)).toBe(true);
  expect(health.begin(1_000)).toBe(true);
  expect([health.state, health.admits(1_000)]).toEqual(['PROBING', false]);
  health.released(true);
  expect([health.state, health.admits(1_000), health.begin(1_000)]).toEqual(['QUARANTINED', true, true]);
  health.succeeded();
  expect([health.state, health.admits(1_000), health.begin(1_000)]).toEqual(['HEALTHY', true, false]);
});

test('each failed probe doubles the pause, up to five minutes; a success begins from the start', () => {
  const health = quarantined();
  const pauses: number[] = [];
  let now = 1_000;
  for (let count = 0; count < 10; count++) {
    health.failed(now, health.begin(now));
    pauses.push(health.pausedUntil - now);
    now = health.pausedUntil;
  }
  expect(pauses).toEqual([2, 4, 8, 16, 32, 64, 128, 256, 300, 300].map((seconds) => seconds * 1_000));
  health.succeeded();
  for (let count = 0; count < 3; count++) health.failed(now, false);
  expect(health.pausedUntil - now).toBe(1_000);
});

test('where exits are checked, a connection may try one only when a check has passed since its pause', () => {
  const health = new Health(true);
  for (let count = 0; count < 3; count++) health.failed(0, health.begin(0));
  expect([health.unchecked(999), health.unchecked(1_000), health.admits(1_000)]).toEqual([false, true, false]);
  health.checking();
  expect([health.state, health.unchecked(1_000), health.admits(1_000)]).toEqual(['PROBING', false, false]);
  health.failed(1_000, true);
  expect([health.state, health.pausedUntil, health.unchecked(2_999)]).toEqual(['QUARANTINED', 3_000, false]);
  health.checking();
  health.passed();
  expect([health.state, health.unchecked(3_000), health.admits(3_000)]).toEqual(['QUARANTINED', false, true]);
  // A proxy that lets us in and does not do its work: its pauses get longer nevertheless.
  health.failed(3_000, health.begin(3_000));
  expect([health.pausedUntil, health.admits(7_000), health.unchecked(7_000)]).toEqual([7_000, false, true]);
  health.succeeded();
  expect([health.state, health.unchecked(7_000), health.admits(7_000)]).toEqual(['HEALTHY', false, true]);
});

test('connections that were under way when the pause began do not prolong it', () => {
  const health = quarantined();
  for (let count = 0; count < 100; count++) health.failed(500, false);
  expect(health.pausedUntil).toBe(1_000);
});

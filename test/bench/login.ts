import { Agent, request } from 'node:http';

import { ADMIN, startServer } from '../harness/server.ts';
import { machine, median, option } from './relay/measure.ts';

/**
 * Whether the time of `POST /auth/login` tells if anybody has an e-mail address: wrong passwords for a known and for
 * an unknown address of the same length, in rounds whose order is random, one request at a time over one connection.
 * Two tests that each would find a difference: Welch's t of the means, Mann–Whitney of the ranks. A third address,
 * unknown too, is the control: what the same tests say where there is nothing to find.
 * `--rounds N` (at least 30) `--seconds S`: a busy machine ends with fewer rounds
 */
const ROUNDS = option('rounds', 400);
const LONGEST_MS = option('seconds', 50) * 1_000;
const FEWEST = 30;
const WARM_UP = 30;
/** Two-sided p below which the bench fails: on average one run of a thousand does by chance, per test. */
const ALARM = 0.001;

const ADDRESSES = { known: ADMIN.email, unknown: 'nimda@localhost', control: 'idmna@localhost' } as const;
type Name = keyof typeof ADDRESSES;

/** Milliseconds from sending a wrong login to the last byte of its answer. */
function attempt(agent: Agent, url: string, email: string): Promise<number> {
  const body = JSON.stringify({ email, password: 'wrong but long enough' });
  const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
  return new Promise((resolve, reject) => {
    const startedAt = performance.now();
    const sent = request(`${url}/auth/login`, { method: 'POST', agent, headers }, (response) => {
      response.resume().once('end', () => {
        const elapsed = performance.now() - startedAt;
        if (response.statusCode === 401) resolve(elapsed);
        else reject(new Error(`the answer is ${response.statusCode}`));
      });
    });
    sent.once('error', reject).end(body);
  });
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
const variance = (values: readonly number[]): number => {
  const middle = mean(values);
  return values.reduce((sum, value) => sum + (value - middle) ** 2, 0) / (values.length - 1);
};

/** Two-sided p of a standard normal deviate: erfc by Abramowitz and Stegun 7.1.26, error below 1.5e-7. */
function twoSided(z: number): number {
  const x = Math.abs(z) / Math.SQRT2;
  const t = 1 / (1 + 0.3275911 * x);
  const terms = [1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592];
  return terms.reduce((sum, term) => (sum + term) * t, 0) * Math.exp(-x * x);
}

interface Comparison {
  /** Milliseconds. */
  readonly difference: number;
  /** Half the width of the 95 % confidence interval of the difference of means. */
  readonly margin: number;
  readonly t: number;
  readonly tP: number;
  readonly z: number;
  readonly zP: number;
}

/** With hundreds of samples Student's distribution is the normal one. */
function compare(one: readonly number[], other: readonly number[]): Comparison {
  const error = Math.sqrt(variance(one) / one.length + variance(other) / other.length);
  const difference = mean(one) - mean(other);
  const t = difference / error;
  const z = mannWhitney(one, other);
  return { difference, margin: 1.96 * error, t, tP: twoSided(t), z, zP: twoSided(z) };
}

/** Normal deviate of U. Times of a microsecond's resolution hardly ever tie; those that do share their mean rank. */
function mannWhitney(one: readonly number[], other: readonly number[]): number {
  const all = [...one, ...other].sort((a, b) => a - b);
  const rankOf = new Map<number, number>();
  for (let first = 0; first < all.length;) {
    let last = first;
    while (all[last + 1] === all[first]) last += 1;
    rankOf.set(all[first] ?? 0, (first + last) / 2 + 1);
    first = last + 1;
  }
  const [n, m] = [one.length, other.length];
  const u = one.reduce((sum, value) => sum + (rankOf.get(value) ?? 0), 0) - (n * (n + 1)) / 2;
  return (u - (n * m) / 2) / Math.sqrt((n * m * (n + m + 1)) / 12);
}

function report(name: string, { difference, margin, t, tP, z, zP }: Comparison): boolean {
  const means = `means differ by ${difference.toFixed(3)} ± ${margin.toFixed(3)} ms (95 %)`;
  const tests = `Welch t = ${t.toFixed(2)} (p = ${tP.toFixed(3)}), Mann–Whitney z = ${z.toFixed(2)} (p = ${zP.toFixed(3)})`;
  console.log(`  ${name}: ${means}; ${tests}`);
  return tP >= ALARM && zP >= ALARM;
}

if (ROUNDS < FEWEST) throw new Error(`--rounds must be at least ${FEWEST}: fewer say nothing`);
await using server = await startServer({ env: { AUTH_MAX_FAILURES: '1000000', LOG_LEVEL: 'error' } });
const agent = new Agent({ keepAlive: true, maxSockets: 1 });
const times: Record<Name, number[]> = { known: [], unknown: [], control: [] };
const names = Object.keys(ADDRESSES) as Name[];
const startedAt = performance.now();
const goesOn = (round: number): boolean => round < FEWEST || performance.now() - startedAt < LONGEST_MS;
for (let round = -WARM_UP; round < ROUNDS && goesOn(round); round += 1) {
  const order = names.map((name) => ({ name, at: Math.random() })).sort((one, other) => one.at - other.at);
  for (const { name } of order) {
    const elapsed = await attempt(agent, server.ready.http, ADDRESSES[name]);
    if (round >= 0) times[name].push(elapsed);
  }
}
agent.destroy();

console.log(machine());
console.log(`wrong logins, one at a time, embedded database; n = ${times.known.length} of each kind, in random order`);
for (const name of names) {
  const list = times[name];
  const deviation = Math.sqrt(variance(list)).toFixed(3);
  console.log(
    `  ${name.padEnd(8)} median ${median(list).toFixed(3)} ms, mean ${mean(list).toFixed(3)} ± ${deviation} ms`,
  );
}
const alike = report('known against unknown ', compare(times.known, times.unknown));
report('unknown against control', compare(times.unknown, times.control));
console.log(`  known and unknown addresses are ${alike ? 'not told apart' : 'TOLD APART'} (alarm at p < ${ALARM})`);
process.exitCode = alike ? 0 : 1;

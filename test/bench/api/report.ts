import { ITEMS, TITLES, type Item, type Style } from './work.ts';

/** One cell of one round. */
export interface Sample {
  /** CPU-microseconds of the server process per request. */
  readonly cpu: number;
  /** Requests per second. */
  readonly rate: number;
}

/** Whose samples they are. */
export type Role = 'ours' | 'peer' | 'floor';
export interface Contender {
  readonly name: string;
  readonly role: Role;
  readonly style: Style;
}

export type Samples = ReadonlyMap<Contender, Readonly<Record<Item, readonly Sample[]>>>;

/** CPU of ours ÷ that of the other, at most; from the design study, which measured GraphQL. */
const GOALS: Readonly<Record<Item, { readonly peer: number; readonly floor?: number }>> = {
  Q1: { peer: 1, floor: 1.2 },
  Q2: { peer: 0.7 },
  Q3: { peer: 1.1, floor: 1.1 },
  Q4: { peer: 1.1, floor: 1.1 },
  M1: { peer: 1 },
};

interface Spread {
  readonly least: number;
  readonly median: number;
  readonly most: number;
}

function spreadOf(values: readonly number[]): Spread {
  const sorted = values.toSorted((one, other) => one - other);
  const at = (index: number): number => sorted[index] ?? Number.NaN;
  const middle = Math.floor(sorted.length / 2);
  const median = sorted.length % 2 === 1 ? at(middle) : (at(middle - 1) + at(middle)) / 2;
  return { least: at(0), median, most: at(sorted.length - 1) };
}

function spreadText(values: readonly number[], digits: number): string {
  const { least, median, most } = spreadOf(values);
  return `${median.toFixed(digits)} (${least.toFixed(digits)}–${most.toFixed(digits)})`;
}

export function printReport(samples: Samples): void {
  for (const item of ITEMS) {
    console.log(`\n${item}: ${TITLES[item]}`);
    console.log(`  ${''.padEnd(36)}${'CPU-µs per request'.padEnd(24)}requests/s`);
    for (const [{ name }, cells] of samples) {
      const cpu = spreadText(
        cells[item].map((sample) => sample.cpu),
        0,
      );
      const rate = spreadText(
        cells[item].map((sample) => sample.rate),
        0,
      );
      console.log(`  ${name.padEnd(36)}${cpu.padEnd(24)}${rate}`);
    }
  }
  printRatios(samples);
}

function printRatios(samples: Samples): void {
  console.log('\nCPU per request of ours ÷ theirs, round by round');
  console.log(
    `      ${['GraphQL ÷ best peer', 'GraphQL ÷ floor', 'REST ÷ floor'].map((title) => title.padEnd(38)).join('')}`,
  );
  for (const item of ITEMS) {
    const { peer, floor } = GOALS[item];
    const columns = [
      verdict(ratios(samples, item, ['ours', 'GraphQL'], ['peer', 'GraphQL']), peer),
      verdict(ratios(samples, item, ['ours', 'GraphQL'], ['floor', 'plain']), floor),
      verdict(ratios(samples, item, ['ours', 'REST'], ['floor', 'REST']), undefined),
    ];
    console.log(`  ${item}  ${columns.map((text) => text.padEnd(38)).join('')}`);
  }
}

type Which = readonly [role: Role, style: Style];

/** Neighbours in time are compared, so that a slow minute of the machine counts on both sides. */
function ratios(samples: Samples, item: Item, ours: Which, theirs: Which): number[] {
  const cells = ([role, style]: Which): readonly Sample[] =>
    [...samples].find(([contender]) => contender.role === role && contender.style === style)?.[1][item] ?? [];
  const others = cells(theirs);
  return cells(ours).map(({ cpu }, round) => cpu / (others[round]?.cpu ?? Number.NaN));
}

function verdict(values: readonly number[], goal: number | undefined): string {
  const text = `${spreadText(values, 2)}x`;
  if (goal === undefined) return text;
  return `${text} goal ≤ ${goal}x: ${spreadOf(values).median <= goal ? 'met' : 'MISSED'}`;
}

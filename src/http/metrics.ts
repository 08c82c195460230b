import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';

import type { OperationType } from '../graphql/types.ts';

/** Seconds: from a cached read to a call that waits for argon2. */
const LATENCY_BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5];

/** Value of a gauge when it is read; with labels one value for each combination. */
export type GaugeReading =
  number | readonly { readonly labels: Readonly<Record<string, string>>; readonly value: number }[];

export interface Metrics {
  /** Content type of the exposition. */
  readonly contentType: string;
  /** All metrics in the Prometheus text format. */
  print(): Promise<string>;
  /** @param route one of the server's few route names, never a path: paths hold ids */
  countRequest(route: string, status: number): void;
  /** @param outcome `OK` or an error code */
  countOperation(type: OperationType, outcome: string, seconds: number): void;
  /**
   * Adds a metric of another part, read when it is asked for. Label values must come from a fixed set: no
   * secrets, no ids.
   */
  gauge(
    name: `passerelle_${string}`,
    help: string,
    labelNames: readonly string[],
    read: () => GaugeReading | Promise<GaugeReading>,
  ): void;
}

/** The metrics of one server, in a registry of their own. */
export function createMetrics(): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const registers = [registry];
  const requests = new Counter({
    name: 'passerelle_http_requests_total',
    help: 'HTTP requests answered.',
    labelNames: ['route', 'status'],
    registers,
  });
  const operations = new Counter({
    name: 'passerelle_graphql_operations_total',
    help: 'GraphQL operations by type and first error code; "invalid" never ran.',
    labelNames: ['type', 'outcome'],
    registers,
  });
  const latency = new Histogram({
    name: 'passerelle_graphql_operation_seconds',
    help: 'Time to execute a GraphQL operation.',
    labelNames: ['type'],
    buckets: LATENCY_BUCKETS,
    registers,
  });
  return {
    contentType: registry.contentType,
    print: () => registry.metrics(),
    countRequest: (route, status) => requests.inc({ route, status }),
    countOperation(type, outcome, seconds) {
      operations.inc({ type, outcome });
      if (type !== 'invalid') latency.observe({ type }, seconds);
    },
    gauge(name, help, labelNames, read) {
      // Constructing it registers it.
      void new Gauge({
        name,
        help,
        labelNames,
        registers,
        async collect() {
          const reading = await readSafely(read);
          this.reset();
          if (typeof reading === 'number') setTotal(this, labelNames, reading);
          else for (const { labels, value } of reading) this.set({ ...labels }, value);
        },
      });
    },
  };
}

/** A gauge with labels has no value of its own. */
function setTotal(gauge: Gauge, labelNames: readonly string[], value: number): void {
  if (labelNames.length === 0) gauge.set(value);
}

/** What cannot be read now is not a number, rather than a reassuring 0; the other metrics are still shown. */
async function readSafely(read: () => GaugeReading | Promise<GaugeReading>): Promise<GaugeReading> {
  try {
    return await read();
  } catch {
    return Number.NaN;
  }
}

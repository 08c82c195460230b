import type { Exits, ExitState } from './context.ts';
import { sql, type Sql, type Statement } from './database/sql.ts';
import type { Metrics } from './http/metrics.ts';
import type { LiveSockets } from './live/websocket.ts';
import type { Metering } from './metering/metering.ts';
import type { Proxy } from './proxy/server.ts';

// Sums of 64-bit integers are of any size (numeric).
const ACCOUNTS = sql('gaugeAccounts', 'select count(*) as figure from account');
const BALANCE = sql('gaugeBalance', 'select sum(balance) as figure from account');
const RESERVED = sql('gaugeReserved', 'select sum(reserved) as figure from account');

/** Parts whose figures `/metrics` shows. */
export interface Gauged {
  readonly db: Sql;
  readonly metering: Metering;
  readonly proxy: Proxy;
  readonly exits: Exits;
  readonly sockets: LiveSockets;
  /** Result of the last look at the ledger, nano-credits. */
  readonly drift: () => bigint;
}

/** Registers the metrics of the proxy, the meter, the ledger and the live streams. */
export function registerGauges(metrics: Metrics, { db, metering, proxy, exits, sockets, drift }: Gauged): void {
  const number = numberOf(metrics);
  registerCredit(metrics, { db, drift });
  number('passerelle_proxy_connections', 'Proxy connections open.', () => proxy.stats.connections);
  metrics.gauge('passerelle_proxy_relay', 'The relay in use, by its name.', ['relay'], () =>
    proxy.stats.relay === undefined ? [] : [{ labels: { relay: proxy.stats.relay }, value: 1 }],
  );
  number('passerelle_proxy_handshakes', 'Proxy connections without a valid key so far.', () => proxy.stats.handshakes);
  number('passerelle_proxy_paused', '1 while no proxy connections are accepted: too many.', () =>
    Number(proxy.stats.paused),
  );
  number('passerelle_proxy_crashes', 'Relay workers that crashed and were replaced.', () => proxy.stats.crashes);
  number('passerelle_proxy_tunnels', 'Proxy connections that relay.', () => proxy.stats.tunnels);
  number('passerelle_proxy_accepted', 'Proxy connections accepted since the start.', () => proxy.stats.accepted);
  metrics.gauge('passerelle_proxy_refusals', 'Refusals since the start, by code.', ['code'], () =>
    [...proxy.stats.refusals].map(([code, value]) => ({ labels: { code }, value })),
  );
  registerExits(metrics, exits);
  number('passerelle_meter_sessions', 'Metered connections open.', () => metering.stats().openSessions);
  number(
    'passerelle_meter_unbilled_bytes',
    'Bytes that flowed and are not settled yet.',
    () => metering.stats().unbilledBytes,
  );
  number('passerelle_meter_lost_bytes', 'Bytes that flowed and can never be billed.', () => metering.stats().lostBytes);
  number('passerelle_settlements', 'Leases settled since the start.', () => metering.stats().settlements);
  number('passerelle_settlement_calls', 'Calls to the ledger answered since the start.', () => metering.stats().calls);
  number(
    'passerelle_settlement_failures',
    'Calls to the ledger that failed and were repeated.',
    () => metering.stats().failures,
  );
  number(
    'passerelle_settlement_seconds',
    'Time that calls to the ledger took in total.',
    () => metering.stats().callMs / 1000,
  );
  number('passerelle_live_connections', 'WebSocket connections open.', () => sockets.counts().connections);
  number('passerelle_live_subscriptions', 'Usage subscriptions open over WebSocket.', () => sockets.counts().lanes);
}

/**
 * Registers the figures of each exit of each product. By name: anybody may read metrics, and only the operator is to
 * know what is behind an exit (`exits` in GraphQL says it).
 */
function registerExits(metrics: Metrics, exits: Exits): void {
  const each = (name: `passerelle_${string}`, help: string, figure: (exit: ExitState) => number): void =>
    metrics.gauge(name, help, ['product', 'exit'], () =>
      exits.list().map((exit) => ({
        labels: { product: exit.product, exit: exit.name },
        value: figure(exit),
      })),
    );
  each('passerelle_exit_connections', 'Connections open through an exit.', ({ connections }) => connections);
  each('passerelle_exit_opened', 'Connections opened through an exit since the start.', ({ opened }) => opened);
  each('passerelle_exit_failures', 'Failures of an exit since the start.', ({ failures }) => failures);
  each('passerelle_exit_drained', '1 while an exit takes no new connections.', ({ drained }) => Number(drained));
  each('passerelle_exit_healthy', '1 while an exit is not in quarantine.', ({ state }) => Number(state === 'HEALTHY'));
}

/** Registers the figures of the ledger; each is read by itself, so that one that fails takes no other along. */
export function registerCredit(metrics: Metrics, { db, drift }: Pick<Gauged, 'db' | 'drift'>): void {
  const number = numberOf(metrics);
  number(
    'passerelle_ledger_drift',
    'Difference between balances and what the ledger adds up to, in nano-credits: 0.',
    () => Number(drift()),
  );
  const figure = async (statement: Statement): Promise<number> =>
    Number((await db.query<{ figure: bigint | string | null }>(statement))[0]?.figure ?? 0);
  number('passerelle_accounts', 'Accounts.', () => figure(ACCOUNTS));
  number('passerelle_balance_nanocredits', 'Sum of all balances.', () => figure(BALANCE));
  number('passerelle_reserved_nanocredits', 'Credit lent to instances and not spent.', () => figure(RESERVED));
}

function numberOf(metrics: Metrics) {
  return (name: `passerelle_${string}`, help: string, read: () => number | Promise<number>): void =>
    metrics.gauge(name, help, [], read);
}

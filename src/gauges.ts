import { sql, type Sql } from './database/sql.ts';
import type { Metrics } from './http/metrics.ts';
import type { LiveSockets } from './live/websocket.ts';
import type { Metering } from './metering/metering.ts';
import type { Proxy } from './proxy/server.ts';

const CREDIT = sql(
  'gaugeCredit',
  `select count(*) as accounts, coalesce(sum(balance), 0)::bigint as balance, coalesce(sum(reserved), 0)::bigint as reserved
   from account`,
);

/** Parts whose figures `/metrics` shows. */
export interface Gauged {
  readonly db: Sql;
  readonly metering: Metering;
  readonly proxy: Proxy;
  readonly sockets: LiveSockets;
  /** Result of the last look at the ledger, nano-credits. */
  readonly drift: () => bigint;
}

/** Registers the metrics of the proxy, the meter, the ledger and the live streams. */
export function registerGauges(metrics: Metrics, { db, metering, proxy, sockets, drift }: Gauged): void {
  const number = (name: `passerelle_${string}`, help: string, read: () => number | Promise<number>): void =>
    metrics.gauge(name, help, [], read);
  number(
    'passerelle_ledger_drift',
    'Difference between balances and what the ledger adds up to, in nano-credits: 0.',
    () => Number(drift()),
  );
  const credit = async (column: 'accounts' | 'balance' | 'reserved'): Promise<number> =>
    Number((await db.query<Record<typeof column, bigint>>(CREDIT))[0]?.[column] ?? 0);
  number('passerelle_accounts', 'Accounts.', () => credit('accounts'));
  number('passerelle_balance_nanocredits', 'Sum of all balances.', () => credit('balance'));
  number('passerelle_reserved_nanocredits', 'Credit lent to instances and not spent.', () => credit('reserved'));
  number('passerelle_proxy_connections', 'Proxy connections open.', () => proxy.stats.connections);
  number('passerelle_proxy_tunnels', 'Proxy connections that relay.', () => proxy.stats.tunnels);
  number('passerelle_proxy_accepted', 'Proxy connections accepted since the start.', () => proxy.stats.accepted);
  metrics.gauge('passerelle_proxy_refusals', 'Refusals since the start, by code.', ['code'], () =>
    [...proxy.stats.refusals].map(([code, value]) => ({ labels: { code }, value })),
  );
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

import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';

import { createLogger } from '../../src/log.ts';
import { createMetrics, type Metrics } from '../../src/http/metrics.ts';
import { startHttpServer, type HttpServer, type HttpServerOptions } from '../../src/http/server.ts';
import { createFixture, type Fixture } from '../graphql/fixture.ts';

export interface RunningFixture extends Fixture, AsyncDisposable {
  readonly server: HttpServer;
  readonly metrics: Metrics;
  readonly origin: string;
}

/** The HTTP server over the fixture's schema, on a free port. */
export async function startFixture(options: Partial<HttpServerOptions> = {}): Promise<RunningFixture> {
  const metrics = createMetrics();
  const fixture = createFixture({ onOperation: metrics.countOperation });
  const server = await startHttpServer({
    host: '127.0.0.1',
    port: 0,
    executor: fixture.executor,
    metrics,
    checks: {},
    log: createLogger('silent'),
    ...options,
  });
  const origin = `http://127.0.0.1:${server.address.port}`;
  return { ...fixture, server, metrics, origin, [Symbol.asyncDispose]: () => server.close() };
}

export interface Exchange {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  /** The same, as it came. */
  readonly bytes: Buffer;
}

/** One request over a connection of its own, with exactly these headers. */
export function exchange(
  url: string,
  {
    method = 'GET',
    headers = {},
    body,
  }: { method?: string; headers?: Record<string, string>; body?: string | Buffer } = {},
): Promise<Exchange> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(url, { method, headers, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const bytes = Buffer.concat(chunks);
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: bytes.toString(), bytes });
      });
    });
    request.on('error', reject);
    request.end(body);
  });
}

/** POSTs a GraphQL request as JSON. */
export function post(origin: string, params: unknown, headers: Record<string, string> = {}): Promise<Exchange> {
  return exchange(`${origin}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(params),
  });
}

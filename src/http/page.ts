import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';

const FIRST_QUERY = `# Put {"authorization": "Bearer <key or token>"} under Headers below, then run this.
subscription Live {
  usage {
    seq
    at
    __typename
    ... on UsageSnapshot { balance remaining }
    ... on UsageDelta { fromSeq product bytesUp bytesDown credits balance }
  }
}
`;

/** The page has inline scripts, workers made from blobs, and speaks to this server only. */
const PAGE_POLICY = [
  "default-src 'none'",
  "script-src 'unsafe-inline' 'unsafe-eval' blob:",
  'worker-src blob:',
  "style-src 'unsafe-inline'",
  "img-src 'self' data: blob:",
  'font-src data:',
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** Seconds that a browser uses the page without asking. It is the same for everybody and holds no secrets. */
const MAX_AGE_SECONDS = 3_600;

interface Page {
  readonly plain: Buffer;
  readonly gzipped: Buffer;
  readonly etag: string;
}

/** Whether a browser asks for the page that goes with the API. */
export function wantsPage(request: IncomingMessage): boolean {
  return request.method === 'GET' && (request.headers.accept ?? '').includes('text/html');
}

/**
 * Answers the GraphiQL page, which loads nothing from elsewhere. Its 9 MB are rendered and compressed once, at the
 * first request, and confirmed rather than sent again to who has them (RFC 9110, section 13.1.2).
 */
export function createPage(): (request: IncomingMessage, response: ServerResponse) => Promise<void> {
  let page: Promise<Page> | undefined;
  return async ({ headers }, response) => {
    page ??= render();
    const { plain, gzipped, etag } = await page;
    response.setHeader('content-security-policy', PAGE_POLICY);
    response.setHeader('cache-control', `private, max-age=${MAX_AGE_SECONDS}`);
    response.setHeader('etag', etag);
    // One address answers pages and data.
    response.setHeader('vary', 'accept, accept-encoding');
    if (isKnown(headers['if-none-match'], etag)) {
      response.writeHead(304).end();
      return;
    }
    const zipped = readsGzip(headers['accept-encoding']);
    const body = zipped ? gzipped : plain;
    if (zipped) response.setHeader('content-encoding', 'gzip');
    response.writeHead(200, { 'content-type': 'text/html; charset=utf-8', 'content-length': body.length });
    response.end(body);
  };
}

async function render(): Promise<Page> {
  // Not at the start: its scripts are 30 MB of memory, and a tenth of a second.
  const { renderGraphiQL } = await import('@graphql-yoga/render-graphiql');
  const html = renderGraphiQL({
    title: 'Passerelle',
    defaultQuery: FIRST_QUERY,
    // Headers typed in the page go with the event stream; kept credentials would outlive the visit.
    subscriptionsProtocol: 'SSE',
    shouldPersistHeaders: false,
  });
  const plain = Buffer.from(html);
  const hash = createHash('sha256').update(plain).digest('base64url').slice(0, 22);
  return { plain, gzipped: await promisify(gzip)(plain), etag: `W/"${hash}"` };
}

/** Weak comparison: one tag stands for both encodings. */
function isKnown(ifNoneMatch: string | undefined, etag: string): boolean {
  const tags = (ifNoneMatch ?? '').split(',').map((tag) => tag.trim().replace(/^W\//, ''));
  return tags.includes('*') || tags.includes(etag.replace(/^W\//, ''));
}

function readsGzip(acceptEncoding: string | string[] | undefined): boolean {
  const items = String(acceptEncoding ?? '')
    .toLowerCase()
    .split(',');
  return items.some((item) => /^\s*gzip\s*(?:;\s*q=(?!0(?:\.0*)?\s*$).*)?$/.test(item));
}

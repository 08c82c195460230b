/** Addresses of the listeners, as the ready line prints them. */
export interface Addresses {
  /** `http://127.0.0.1:4000` */
  readonly http: string;
  /** `127.0.0.1:1080`, IPv6 as `[::1]:1080` */
  readonly socksShared: string;
  readonly socksDedicated: string;
  /** null: not in this version. */
  readonly browser: string | null;
}

/** The first account of a new database, with its secrets in clear: printed once, never logged. */
interface ShownAccount {
  readonly email: string;
  readonly password: string;
  readonly apiKey: string;
  /** Credits, as a decimal. */
  readonly balance: string;
}

/** The line that tells supervisors and tests that every listener accepts connections. */
export function readyLine(addresses: Addresses): string {
  return JSON.stringify({ event: 'ready', ...addresses });
}

/** What the operator of a new installation sees once, with commands that work when pasted into a shell. */
export function welcome(account: ShownAccount, addresses: Addresses): string {
  const { http, socksShared } = addresses;
  const { apiKey } = account;
  const bearer = `-H 'authorization: Bearer ${apiKey}'`;
  const json = `-H 'content-type: application/json'`;
  const subscription =
    'subscription { usage { seq __typename ... on UsageDelta { product bytesUp bytesDown credits balance } } }';
  return `
Passerelle is ready. This account is shown only once; keep it safe.

  E-mail    ${account.email}
  Password  ${account.password}
  API key   ${apiKey}
  Balance   ${account.balance} credits

Browse through the proxy (3 credits per GB):
  curl -x 'socks5h://${apiKey}:x@${socksShared}' https://example.com/

Watch the bill live, in a second terminal:
  curl -N ${bearer} ${json} -H 'accept: text/event-stream' -d '{"query":"${subscription}"}' ${http}/graphql

Ask for the balance, with GraphQL and with REST:
  curl ${bearer} ${json} -d '{"query":"{ viewer { remaining user { email balance } } }"}' ${http}/graphql
  curl ${bearer} ${http}/usage

Playground: ${http}/graphql
`;
}

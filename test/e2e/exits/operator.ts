import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';

import { run } from '../../harness/run.ts';
import type { TestServer } from '../../harness/server.ts';

/** An exit as the operator sees it. */
export interface ShownExit {
  readonly id: string;
  readonly name: string;
  readonly label: string;
  readonly origin: string;
  readonly drained: boolean;
  readonly connections: number;
  readonly users: readonly { id: string }[];
}

const FIELDS = 'id name label origin drained connections users { id }';

/** Exits for dedicated traffic, as this server has them. */
export async function exitsOf(server: TestServer): Promise<readonly ShownExit[]> {
  const answer = await server.graphql<{ exits: ShownExit[] }>(`{ exits(product: DEDICATED) { ${FIELDS} } }`);
  if (answer.data === null || answer.data === undefined) throw new Error(JSON.stringify(answer));
  return answer.data.exits;
}

export async function exitOf(server: TestServer, label: string): Promise<ShownExit | undefined> {
  return (await exitsOf(server)).find((exit) => exit.label === label);
}

/** Acts as the operator. @throws with the answer when it is an error */
async function act(server: TestServer, name: string, input: Record<string, unknown>): Promise<ShownExit> {
  const type = `${name.charAt(0).toUpperCase()}${name.slice(1)}`;
  const answer = await server.graphql<Record<string, { exit?: ShownExit }>>(
    `mutation ($input: ${type}Input!) { ${name}(input: $input) {
      ... on ${type}Success { exit { ${FIELDS} } } ... on Error { code message } } }`,
    { input },
  );
  const exit = answer.data?.[name]?.exit;
  if (exit === undefined) throw new Error(JSON.stringify(answer));
  return exit;
}

export const addExit = (server: TestServer, url: string, userIds: readonly string[] = []): Promise<ShownExit> =>
  act(server, 'addExit', { product: 'DEDICATED', url, userIds });
export const drainExit = (server: TestServer, { id }: ShownExit, drained = true): Promise<ShownExit> =>
  act(server, 'drainExit', { id, drained });
export const assignExit = (server: TestServer, { id }: ShownExit, userIds: readonly string[]): Promise<ShownExit> =>
  act(server, 'assignExit', { id, userIds });
export const removeExit = (server: TestServer, { id }: ShownExit): Promise<ShownExit> =>
  act(server, 'removeExit', { id });

/** Tells each client from which address it was dialled. */
export interface Mirror extends AsyncDisposable {
  /**
   * Goes there through the dedicated port.
   * @returns the address that the target saw, or the HTTP status with which the proxy refused
   */
  source(server: TestServer, username: string): Promise<string>;
  /** The same so many times, one after the other. @returns each address once, in order */
  sources(server: TestServer, username: string, times: number): Promise<readonly string[]>;
}

export async function startMirror(): Promise<Mirror> {
  const listener = createServer((socket) => {
    socket.on('error', () => undefined);
    // What is not read keeps it open.
    socket.resume().end(`HTTP/1.0 200 OK\r\n\r\n${socket.remoteAddress}`);
  });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const url = `http://127.0.0.1:${(listener.address() as AddressInfo).port}/`;
  const source = async (server: TestServer, username: string): Promise<string> => {
    const through = ['--proxytunnel', '-x', `http://${username}:x@${server.ready.socksDedicated}`];
    return visit([...through, url]);
  };
  return {
    source,
    async sources(server, username, times) {
      const seen = new Set<string>();
      for (let count = 0; count < times; count += 1) seen.add(await source(server, username));
      return [...seen].toSorted();
    },
    async [Symbol.asyncDispose]() {
      listener.close();
      await once(listener, 'close');
    },
  };
}

async function visit(options: readonly string[]): Promise<string> {
  try {
    return (await run('curl', ['-sS', '--max-time', '20', '-w', '%{stderr}%{http_connect}', ...options])).toString();
  } catch (error) {
    return String(error).slice(-3);
  }
}

/** Traffic of the account with this credential: what all exits together carried, and how each is called. */
export async function usageByExit(
  server: TestServer,
  credential: string,
): Promise<{ readonly up: bigint; readonly down: bigint; readonly connections: bigint; readonly names: string[] }> {
  const answer = await server.graphql<{
    viewer: { user: { usageByExit: { exit: string; bytesUp: string; bytesDown: string; connections: string }[] } };
  }>('{ viewer { user { usageByExit { exit bytesUp bytesDown connections } } } }', {}, credential);
  const rows = answer.data?.viewer.user.usageByExit ?? [];
  const sum = (figures: readonly string[]): bigint => figures.reduce((total, figure) => total + BigInt(figure), 0n);
  return {
    up: sum(rows.map(({ bytesUp }) => bytesUp)),
    down: sum(rows.map(({ bytesDown }) => bytesDown)),
    connections: sum(rows.map(({ connections }) => connections)),
    names: [...new Set(rows.map(({ exit }) => exit))].toSorted(),
  };
}

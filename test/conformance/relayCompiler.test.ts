import { execFile } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

import { expect, test } from 'vitest';

const root = path.join(import.meta.dirname, '../..');

/** What Relay demands of a server: nodes, connections with cursors, and mutations that return nodes. */
const DOCUMENTS = `
import { graphql } from 'react-relay';

graphql\`
  query documentsViewerQuery { viewer { user { id ...documentsKeys_user ...documentsTransactions_user } } }
\`;
graphql\`
  fragment documentsKeys_user on User
  @argumentDefinitions(count: { type: "Int", defaultValue: 10 }, cursor: { type: "String" })
  @refetchable(queryName: "documentsKeysPaginationQuery") {
    apiKeys(first: $count, after: $cursor) @connection(key: "documents_apiKeys") { edges { node { id name } } }
  }
\`;
graphql\`
  fragment documentsTransactions_user on User
  @argumentDefinitions(count: { type: "Int", defaultValue: 10 }, cursor: { type: "String" })
  @refetchable(queryName: "documentsTransactionsPaginationQuery") {
    transactions(first: $count, after: $cursor) @connection(key: "documents_transactions") {
      edges { node { id amount } }
    }
  }
\`;
graphql\`
  mutation documentsCreateApiKeyMutation($input: CreateApiKeyInput!) {
    createApiKey(input: $input) { ... on CreateApiKeySuccess { apiKey { id name } secret } ... on Error { code message } }
  }
\`;
graphql\`
  subscription documentsUsageSubscription($after: String) {
    usage(after: $after) { seq ... on UsageDelta { fromSeq product credits balance } }
  }
\`;
`;

test('relay-compiler accepts the schema, its connections and its nodes', async () => {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'passerelle-relay-'));
  try {
    await mkdir(path.join(folder, 'src'));
    await copyFile(path.join(root, 'schema.graphql'), path.join(folder, 'schema.graphql'));
    await writeFile(path.join(folder, 'src/documents.js'), DOCUMENTS);
    const config = { src: './src', schema: './schema.graphql', language: 'javascript' };
    await writeFile(path.join(folder, 'relay.config.json'), JSON.stringify(config));
    await writeFile(path.join(folder, 'package.json'), '{}');
    const compiler = path.join(root, 'node_modules/relay-compiler/cli.js');
    await promisify(execFile)(process.execPath, [compiler], { cwd: folder });
    const artifacts = await readdir(path.join(folder, 'src/__generated__'));
    expect(artifacts).toHaveLength(7);
  } finally {
    await rm(folder, { recursive: true });
  }
});

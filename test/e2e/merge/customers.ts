import type { PrivateKeyAccount } from 'viem/accounts';

import { adjustBalance, type Customer } from '../../harness/customer.ts';
import type { TestServer } from '../../harness/server.ts';

/** A message asked for and signed. */
async function signed(server: TestServer, wallet: PrivateKeyAccount, purpose: 'login' | 'link') {
  const query = `address=${wallet.address}&purpose=${purpose}`;
  const { body } = await server.rest<{ message: string }>('GET', `/auth/nonce?${query}`, { credential: null });
  const { message } = body;
  return { address: wallet.address, message, signature: await wallet.signMessage({ message }) };
}

/** An account that the wallet alone opens, with credit and a key. */
export async function walletCustomer(server: TestServer, wallet: PrivateKeyAccount): Promise<Customer> {
  const { body } = await server.rest<{ token: string; user: { id: number } }>('POST', '/auth/wallet', {
    credential: null,
    body: await signed(server, wallet, 'login'),
  });
  const userId = Buffer.from(`User:${body.user.id}`).toString('base64');
  await adjustBalance(server, userId, '1000', `credit of ${wallet.address}`);
  const made = await server.rest<{ key: { id: number; key: string } }>('POST', '/keys', {
    credential: body.token,
    body: { name: 'wallet' },
  });
  const keyId = Buffer.from(`ApiKey:${made.body.key.id}`).toString('base64');
  return { userId, token: body.token, keyId, key: made.body.key.key };
}

/** Links the wallet by the customer's key. @returns the reply */
export async function link(server: TestServer, { key }: Customer, wallet: PrivateKeyAccount): Promise<unknown> {
  const body = await signed(server, wallet, 'link');
  return (await server.rest('POST', '/auth/link-wallet', { credential: key, body })).body;
}

/** Runs a mutation as the customer, by session. @throws when it answers an error */
export async function mutate(server: TestServer, { token }: Customer, field: string, variables: object): Promise<void> {
  const id = 'id' in variables ? '($id: ID!)' : '';
  const document = `mutation ${id} { ${field} { __typename ... on Error { code } } }`;
  const { data } = await server.graphql<Record<string, { code?: string }>>(document, { ...variables }, token);
  const [answer] = Object.values(data ?? {});
  if (answer === undefined || answer.code !== undefined) throw new Error(`${field}: ${answer?.code}`);
}

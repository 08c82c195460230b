import { choice, text } from '../../codecs.ts';
import { integer } from '../../numbers.ts';
import { SubmitDepositDocument } from '../../operations.generated.ts';
import { field } from '../../shapes.ts';
import { body, optional } from '../../sources.ts';
import { route } from '../../table.ts';

const tag = 'Dépôts';

const MAX_INT = 2_147_483_647;
/** Those of `DEPOSIT_CHAINS`: the table takes nothing from the server, and a test compares the two. */
export const CHAINS = '1=Ethereum, 137=Polygon, 56=BSC, 8453=Base, 43114=Avalanche, 560048=Hoodi';

export const depositRows = [
  route({
    method: 'POST',
    path: '/keys/deposit',
    tag,
    summary: 'Soumettre un dépôt crypto (montant vérifié on-chain)',
    description: `currency: usdt | eth. chain_id: ${CHAINS}. Par défaut usdt et 1 ; Hoodi exige la permission app.testnet. Cette version vérifie la requête, ne prend pas encore de dépôts et répond 501.`,
    operation: SubmitDepositDocument,
    variables: {
      input: {
        txHash: body('tx_hash', text, 'Hash de la transaction : 0x et 64 chiffres hexadécimaux'),
        currency: optional(body('currency', choice({ USDT: 'usdt', ETH: 'eth' }), 'défaut usdt')),
        chainId: optional(body('chain_id', integer(0, MAX_INT), `défaut 1 ; ${CHAINS}`)),
      },
    },
    at: ['submitDeposit'],
    reply: {
      success: true,
      status: field('status', choice({ PENDING: 'pending', CONFIRMED: 'confirmed', FAILED: 'failed' })),
    },
    errors: ['FORBIDDEN', 'NOT_IMPLEMENTED'],
  }),
];

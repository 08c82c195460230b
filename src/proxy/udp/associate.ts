import { normalAddress, UNSPECIFIED } from '../../addresses.ts';
import { afford, refuse, type Applicant } from '../clearance.ts';
import type { Verdict } from '../answers.ts';
import type { House } from '../house.ts';
import type { Request } from '../socks5.ts';
import type { StickySession } from '../username.ts';
import { Association, type Room } from './association.ts';

/** What a request for an association is judged by, and what it needs. */
export interface AssociationWish extends Applicant {
  /** Where the client will send from (DST.ADDR and DST.PORT); zeros where it does not know. */
  readonly named: Pick<Request, 'host' | 'port'>;
  /** Address of this machine at which the client reached us. */
  readonly local: string;
  readonly stickySession: StickySession | undefined;
  readonly room: Room;
  /** Hears of the association before it has begun, which may take a while: whoever gives up meanwhile ends it. */
  readonly beginning: (association: Association) => void;
  /** Called once when the association ends after it was opened, whatever the reason. */
  readonly ended: () => void;
}

/**
 * Decides about a request for an association and opens it: what was known of the key, credit, room, exit.
 * @returns what to tell the client when it comes to nothing; what was opened for it is closed then. An
 *   association that has ended again (`over`) has nothing to tell
 */
export async function associate(house: House, wish: AssociationWish): Promise<Association | Verdict> {
  const { key, client, room, named, stickySession, ended } = wish;
  const afforded = await afford(house, wish);
  if (!('session' in afforded)) return afforded;
  const { session } = afforded;
  if (!room.take()) {
    session.close();
    return refuse(house, wish, {
      code: 'SERVICE_UNAVAILABLE',
      message: 'The service has no room for another UDP association now; try again shortly.',
    });
  }
  const { clientAddress } = client;
  const local = normalAddress(wish.local) ?? wish.local;
  const clientPort = portOf(named, clientAddress);
  const association = new Association({ house, client, session, room, local, clientAddress, clientPort, ended });
  wish.beginning(association);
  const { accountId, keyId } = key;
  const denial = await association.begin(house.passage(client.product, { accountId, keyId, session: stickySession }));
  if (denial === undefined) return association;
  association.end();
  return refuse(house, wish, denial);
}

/**
 * The port that the client says it will send from. Not when it names an address that is not its own as we see
 * it: its datagrams come through a translator then, which gives them another port.
 */
function portOf({ host, port }: AssociationWish['named'], clientAddress: string): number | undefined {
  const address = normalAddress(host);
  const own = address !== undefined && (UNSPECIFIED.has(address) || address === clientAddress);
  return own && port !== 0 ? port : undefined;
}

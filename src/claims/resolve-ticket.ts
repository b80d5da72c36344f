/**
 * People name a ticket as the platform shows it to them (`ABC-7`); its key, and with it the lock, is made of the id
 * behind that name. So a name is turned into the id before anything is claimed or looked up.
 */
import { type Call, PlatformError, type TicketPlatform } from '../platforms/contract.ts';
import { failed, notEligible, type Unclaimed } from './claim-outcome.ts';

/** What certainly is an id: asking for it again would only cost a request. */
export function isTicketId(named: string): boolean {
  return /^\d+$/.test(named);
}

/** @param named what `parseTicketId` made of what the person typed. */
export async function resolveTicketId(
  platform: Pick<TicketPlatform, 'readTicket'>,
  named: string,
  call: Call,
): Promise<{ readonly id: string } | Unclaimed> {
  if (isTicketId(named)) return { id: named };
  try {
    const { id } = await platform.readTicket(named, call);
    return { id };
  } catch (error) {
    if (!(error instanceof PlatformError)) throw error;
    return error.kind === 'not-found' ? notEligible('gone') : failed(error.kind, error.message);
  }
}

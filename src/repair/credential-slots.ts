/**
 * A few slots for each credential. What a loop does on a platform that hangs waits in line behind itself, and what goes by
 * another credential is not behind it.
 */
import { type BulkheadPolicy, bulkhead } from 'cockatiel';

const AT_ONCE = 8;

/** The slots of a credential; who finds none free waits in line. */
export function createCredentialSlots(): (credential: string) => Pick<BulkheadPolicy, 'execute'> {
  const slots = new Map<string, BulkheadPolicy>();
  return (credential) => {
    const own = slots.get(credential) ?? bulkhead(AT_ONCE, Number.POSITIVE_INFINITY);
    slots.set(credential, own);
    return own;
  };
}

/** Bounds how much is asked with one credential at a time: as the pollers do, because platforms ask for it. */
import { bulkhead, type IPolicy } from 'cockatiel';

const AT_ONCE = 8;

/** Questions in a row with one credential that nobody answered before the rest is left out: a thousand deadlines would take hours. */
export const ENOUGH_SILENCE = 4;

/** Runs work when its credential has a free slot. */
export function createPlanSlots(): <T>(credential: string, work: () => Promise<T>) => Promise<T> {
  const slots = new Map<string, IPolicy>();
  return (credential, work) => {
    const slot = slots.get(credential) ?? bulkhead(AT_ONCE, Number.POSITIVE_INFINITY);
    slots.set(credential, slot);
    return slot.execute(work);
  };
}

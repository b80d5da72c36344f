/** People and applications, as the API shows them. Ids are made from the login, so they are the same in every run. */
import { createHash } from 'node:crypto';

/** A GUID that belongs to a text. */
export function guidOf(text: string): string {
  const hex = createHash('sha1').update(text).digest('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join('-');
}

export function identityRef(login: string) {
  return { displayName: login, id: guidOf(login), uniqueName: login, descriptor: `aad.${guidOf(login)}` };
}

/** The one way to compare what somebody gave us with a secret of ours. */
import { createHmac, timingSafeEqual } from 'node:crypto';

/**
 * Compares texts in a time that says nothing about where they differ. Nothing given is nobody's secret, and an empty
 * secret is proven by nobody.
 */
export function isSameSecret(given: string | undefined, secret: string): boolean {
  if (given === undefined || secret === '') return false;
  // Of equal length, whatever was sent: the comparison refuses anything else.
  const digest = (text: string): Buffer => createHmac('sha256', 'compare').update(text).digest();
  return timingSafeEqual(digest(given), digest(secret));
}

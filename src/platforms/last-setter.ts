/** Which of those who set a label counts as having asked for it: the same rule on every platform whose history has an order. */
import { isOurs } from '../domain/lifecycle.ts';

/**
 * The account that set the label last; undefined when nothing shows it, or when that account is gone: an earlier one is
 * never taken for it.
 *
 * A lifecycle label is also written by us: repair puts a wish back that it cannot find the run of. That is still the
 * wish of the person before us, so our own account counts only when nobody else ever set the label.
 *
 * @param setters oldest first; undefined for an account that is gone.
 * @param own as whom our credential acts; asked only where it matters.
 */
export async function lastSetter(
  label: string,
  setters: readonly (string | undefined)[],
  own: () => Promise<string | undefined>,
): Promise<string | undefined> {
  const last = setters.at(-1);
  if (last === undefined || !isOurs(label) || setters.every((setter) => setter === last)) return last;
  const ourselves = await own();
  return setters.findLast((setter) => setter !== ourselves);
}

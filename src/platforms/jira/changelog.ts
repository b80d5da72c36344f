/** What one change of an issue says about its labels: the same in an issue's history and in a webhook. */
import { z } from 'zod';

export const changeItem = z.object({
  field: z.string(),
  /** Cloud only: the name may be in the language of the site, this never is. */
  fieldId: z.string().nullish(),
  /** `custom` for a field of the site's own, which may be called as one of Jira's. */
  fieldtype: z.string().optional(),
  fromString: z.string().nullish(),
  // Where it is missing, every object has a function of this name.
  toString: z.string().nullish().catch(undefined),
});

export interface LabelChange {
  readonly before: readonly string[];
  readonly after: readonly string[];
}

/** All labels before and after; undefined for a change of anything else. */
export function labelChangeOf(item: z.infer<typeof changeItem>): LabelChange | undefined {
  const { field, fieldId, fieldtype, fromString, toString: to } = item;
  if ((fieldId ?? field) !== 'labels' || fieldtype === 'custom') return undefined;
  return { before: labelsIn(fromString), after: labelsIn(to) };
}

/** They stand in one text, apart by spaces. */
function labelsIn(text: string | null | undefined): string[] {
  return (text ?? '').split(' ').filter((label) => label !== '');
}

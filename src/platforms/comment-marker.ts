/**
 * The mark at the end of each comment of ours: by it a run finds its comment again, and by it a delivery is known as one
 * that we have set off ourselves. Only at the end: a person who quotes us does not speak for us.
 */

/** `<!-- agent-smith run=ID -->`, which most platforms do not show to people. */
export const commentMarker = (run: string): string => `<!-- agent-smith run=${run} -->`;

/** What stands between its brackets, for platforms that keep no comments in comments. */
export const wordsOf = (marker: string): string => marker.replace(/^<!--\s*|\s*-->$/g, '');

/** The text with the mark as its last paragraph, in Markdown. */
export const withMarker = (markdown: string, marker: string): string => `${markdown}\n\n${marker}`;

/** Whether a comment ends with this mark. */
export function endsWithMarker(text: string, marker: string): boolean {
  return text.trimEnd().endsWith(marker);
}

/** More than a mark takes: comments can be long, and this reads what strangers write. */
const LONGEST_MARK = 300;

/** Whether a comment ends with the mark of any run: it is ours, whosever credential wrote it. */
export function isOwnComment(text: string): boolean {
  return /<!-- agent-smith run=\S+ -->$/.test(endOf(text));
}

/** The same where only the words of the mark are left. */
export function isOwnCommentInWords(text: string): boolean {
  return /agent-smith run=\S+$/.test(endOf(text));
}

const endOf = (text: string): string => text.trimEnd().slice(-LONGEST_MARK);

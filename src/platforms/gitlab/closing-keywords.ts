/**
 * Which tickets a merge request says that it closes, by GitLab's default pattern. Looser than GitLab, which takes nothing
 * in a code block for one: whatever is found here is only a reason to look at a ticket.
 */
import { readTicketNumber } from '../ticket-number.ts';
import { firstTickets } from '../webhook-fields.ts';

// Every repetition is bounded, but for those at the very end: anybody may open a merge request, with whatever text.
const ADDRESS = String.raw`https?:\/\/[^\s>]{1,300}(?<![?!.,:])`;
const NUMBER = String.raw`[\w.\/-]{0,255}#\d{1,16}(?!\w)`;
const REFERENCE = `(?:${ADDRESS}|${NUMBER})`;
const KEYWORD = String.raw`\b(?:clos(?:e[sd]?|ing)|fix(?:e[sd]|ing)?|resolv(?:e[sd]?|ing)|implement(?:s|ed|ing)?):? {1,9}`;
const CLOSES = new RegExp(`${KEYWORD}((?:(?:issues? {1,9})?${REFERENCE}(?:, {0,9}| {1,9}and {1,9})?)+)`, 'gi');
const REFERENCES = new RegExp(REFERENCE, 'gi');

const IS_ADDRESS = /^https?:/i;
/** Below the page of the project. */
const ISSUE_PAGE = /^(?:-\/)?(?:issues|work_items)\/(\d{1,16})(?:[/?#]|$)/;

/** The project of the merge request, as its payload names it. */
export interface NamedProject {
  readonly path_with_namespace: string;
  readonly web_url: string;
}

/** Ids of the tickets of this project that stand behind a keyword. */
export function ticketsClosedBy(text: string, project: NamedProject): string[] {
  return firstTickets(idsIn(text, project));
}

function* idsIn(text: string, project: NamedProject): Generator<string | undefined> {
  for (const [, clause = ''] of text.matchAll(CLOSES)) {
    for (const [reference] of clause.matchAll(REFERENCES)) {
      yield IS_ADDRESS.test(reference) ? idInAddress(reference, project) : idInName(reference, project);
    }
  }
}

/** Of `#7`, `group/project#7`, or `project#7` for one of the same group. */
function idInName(reference: string, { path_with_namespace: path }: NamedProject): string | undefined {
  return readTicketNumber(reference, path) ?? readTicketNumber(reference, path.split('/').at(-1) ?? path);
}

function idInAddress(reference: string, project: NamedProject): string | undefined {
  const page = `${project.web_url}/`;
  if (!reference.toLowerCase().startsWith(page.toLowerCase())) return undefined;
  return readTicketNumber(ISSUE_PAGE.exec(reference.slice(page.length))?.[1] ?? '', project.path_with_namespace);
}

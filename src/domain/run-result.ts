/**
 * What a pipeline says came of its run: words and links for people. It comes from whatever worked on the ticket, so it is
 * as untrusted as the ticket itself: bounded here, and shown only where nothing in it can be an instruction.
 */
import { withoutInvisible } from '../foundation/invisible.ts';

export interface RunResult {
  /** A few sentences; at most `MOST_SUMMARY` characters. */
  readonly summary?: string;
  /** At most `MOST_LINKS`, in the order in which they were given. */
  readonly links: readonly ResultLink[];
}

export interface ResultLink {
  readonly title: string;
  /** http or https, without credentials. */
  readonly url: string;
}

export const MOST_SUMMARY = 4_000;
export const MOST_LINKS = 20;
const MOST_TITLE = 200;
const MOST_URL = 2_000;

export type ParsedResult =
  | { readonly ok: true; readonly result: RunResult }
  /** A sentence for whoever wrote the pipeline; quotes nothing of the text. */
  | { readonly ok: false; readonly problem: string };

/**
 * From the JSON text that a runner wrote: `{"summary": "...", "links": [{"title": "...", "url": "https://..."}]}`, both
 * optional, other fields ignored. What is too long is cut; what is no link that a browser may follow is refused.
 * `redact` is given each text before it is cut or written in another way: afterwards a secret would not be known any more.
 */
export function parseRunResult(text: string, redact: (text: string) => string = (same) => same): ParsedResult {
  let value: unknown;
  try {
    value = JSON.parse(text, (_, part: unknown) => (typeof part === 'string' ? redact(part) : part));
  } catch {
    return refused('is not JSON');
  }
  return readRunResult(value);
}

/** The same, from what has been parsed already. */
export function readRunResult(value: unknown): ParsedResult {
  if (!isRecord(value)) return refused('is no JSON object');
  const { summary, links = [] } = value;
  if (summary !== undefined && typeof summary !== 'string') return refused('has a summary that is no text');
  if (!Array.isArray(links)) return refused('has links that are no list');
  const read: ResultLink[] = [];
  for (const link of (links as unknown[]).slice(0, MOST_LINKS)) {
    const one = readLink(link);
    if (one === undefined) return refused('has a link that is not {title, url} with an http or https URL');
    read.push(one);
  }
  const words = summary === undefined ? '' : clean(summary, MOST_SUMMARY);
  return { ok: true, result: { ...(words !== '' && { summary: words }), links: read } };
}

function readLink(link: unknown): ResultLink | undefined {
  if (!isRecord(link)) return undefined;
  const { title, url } = link;
  if (typeof url !== 'string') return undefined;
  const parsed = URL.parse(url);
  if (parsed === null || !/^https?:$/.test(parsed.protocol) || parsed.href.length > MOST_URL) return undefined;
  // A link that carries a password would show it to everybody who reads the ticket.
  if (parsed.username !== '' || parsed.password !== '') return undefined;
  const words = typeof title === 'string' ? clean(title, MOST_TITLE).replaceAll(/\s+/g, ' ') : '';
  return { title: words === '' ? parsed.host : words, url: parsed.href };
}

/** What controls a terminal; line breaks and tabs stay. */
const CONTROLS = /(?![\n\t])\p{Cc}/gu;

/** Without control and invisible characters, and cut at a character border. */
function clean(text: string, most: number): string {
  const shown = withoutInvisible(text.toWellFormed().replaceAll(CONTROLS, ''));
  return Array.from(shown).slice(0, most).join('').trim();
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function refused(what: string): ParsedResult {
  return { ok: false, problem: `The result that the pipeline wrote ${what}.` };
}

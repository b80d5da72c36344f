/** The middle of the demo's picture: one section a platform, side by side where the window has room for two. */
import type { EngineKind } from '../../domain/project.ts';
import { unreachable } from '../../foundation/errors.ts';
import type { BoardTicket, Look } from './board-ticket.ts';
import { type Cell, clean, column, fitLine, type Style, widestOf } from './cells.ts';
import { ENGINES, WAYS } from './ways.ts';

export interface Section {
  /** For people: `GitHub`. */
  readonly name: string;
  /** Undefined while no replica leads. */
  readonly engine: EngineKind | undefined;
  readonly tickets: readonly BoardTicket[];
}

export interface Space {
  readonly width: number;
  /** Lines. */
  readonly height: number;
}

const WIDTH_FOR_TWO = 76;
const GAP = 2;
/** What a section has room for: the state as a word, the pipeline and everything about the attempt. */
const WIDTH_FOR_WORDS = 54;
const WIDTH_FOR_PIPELINE = 72;
const SPINNER = ['◐', '◓', '◑', '◒'] as const;
const SPIN_MS = 250;

export const LOOKS: Readonly<
  Record<Look, { readonly symbol: string; readonly word: string; readonly styles: readonly Style[] }>
> = {
  new: { symbol: '·', word: 'new', styles: ['dim'] },
  pending: { symbol: '◌', word: 'pending', styles: ['blue'] },
  enqueued: { symbol: '○', word: 'enqueued', styles: ['yellow'] },
  'in-progress': { symbol: '◐', word: 'in progress', styles: ['cyan'] },
  interrupted: { symbol: '!', word: 'interrupted', styles: ['magenta'] },
  done: { symbol: '✔', word: 'done', styles: ['green'] },
  failed: { symbol: '✖', word: 'failed', styles: ['red'] },
  skipped: { symbol: '–', word: 'skipped', styles: ['dim'] },
};

/** How many lines they would fill with all their tickets. */
export function wantedHeight(sections: readonly Section[], width: number): number {
  return sum(rowsOf(sections, width).map(heightOf));
}

/** Never more lines than there is room; which tickets are left out is said beside the name of their platform. */
export function renderSections(sections: readonly Section[], space: Space, nowMs: number): Cell[][] {
  const rows = rowsOf(sections, space.width);
  const heights = share(rows.map(heightOf), space.height);
  const lines = rows.flatMap((row, index) => {
    const beside = row.length;
    const width = Math.floor((space.width - GAP * (beside - 1)) / beside);
    const rendered = row.map((section) => renderSection(section, { width, height: heights[index] ?? 0 }, nowMs));
    return Array.from({ length: Math.max(...rendered.map((one) => one.length)) }, (_, line) =>
      rendered.flatMap((one, place) => [
        { text: ' '.repeat(place === 0 ? 0 : GAP) },
        ...fitLine(one[line] ?? [], width),
      ]),
    );
  });
  return lines.slice(0, space.height);
}

function rowsOf(sections: readonly Section[], width: number): (readonly Section[])[] {
  const beside = width < WIDTH_FOR_TWO ? 1 : 2;
  return Array.from({ length: Math.ceil(sections.length / beside) }, (_, row) =>
    sections.slice(row * beside, (row + 1) * beside),
  );
}

function heightOf(row: readonly Section[]): number {
  return 1 + Math.max(...row.map(({ tickets }) => tickets.length));
}

/** Gives each as much as it wants, or all of them about the same. */
function share(wanted: readonly number[], room: number): number[] {
  const given = wanted.map(() => 0);
  for (let left = room; left > 0; ) {
    const hungry = given.flatMap((height, index) => (height < (wanted[index] ?? 0) ? [index] : [])).slice(0, left);
    if (hungry.length === 0) break;
    for (const index of hungry) given[index] = (given[index] ?? 0) + 1;
    left -= hungry.length;
  }
  return given;
}

function renderSection({ name, engine, tickets }: Section, space: Space, nowMs: number): Cell[][] {
  const shown = chooseTickets(tickets, Math.max(0, space.height - 1));
  const count = (end: BoardTicket['end']): number => tickets.filter((ticket) => ticket.end === end).length;
  const hidden = tickets.length - shown.length;
  const way = engine && ENGINES[engine];
  // Beside how many there are more, a narrow section has no room for the word.
  const shownWay = hidden > 0 && space.width < WIDTH_FOR_WORDS ? way?.symbol : way && `${way.symbol} ${way.word}`;
  const head: Cell[] = [
    { text: ` ${name}`, styles: ['bold'] },
    { text: shownWay === undefined ? '' : `  ${shownWay}`, styles: way?.styles ?? [] },
    { text: `  ${LOOKS.done.symbol} ${count('done')}`, styles: LOOKS.done.styles },
    { text: `  ${LOOKS.failed.symbol} ${count('failed')}`, styles: LOOKS.failed.styles },
    { text: hidden === 0 ? '' : `  and ${hidden} more`, styles: ['dim'] },
  ];
  const names = widestOf(shown.map(({ shortName }) => shortName)) + 2;
  return [head, ...shown.map((ticket) => ticketLine(ticket, names, space.width, nowMs))];
}

/** All that still move, then those that moved last, then those that never will; each in its place on the board. */
function chooseTickets(tickets: readonly BoardTicket[], room: number): BoardTicket[] {
  const weight = ({ look, sinceMs }: BoardTicket): number => {
    if (look === 'skipped') return 0;
    return look === 'done' || look === 'failed' ? sinceMs : Number.MAX_SAFE_INTEGER;
  };
  const chosen = new Set([...tickets].sort((a, b) => weight(b) - weight(a)).slice(0, room));
  return tickets.filter((ticket) => chosen.has(ticket));
}

function ticketLine(ticket: BoardTicket, names: number, width: number, nowMs: number): Cell[] {
  const { look, arrival } = ticket;
  const { symbol, word, styles } = LOOKS[look];
  const came = arrival && WAYS[arrival.by];
  const turning = SPINNER[Math.floor(nowMs / SPIN_MS) % SPINNER.length] ?? symbol;
  const wide = width >= WIDTH_FOR_WORDS;
  const pipeline = width < WIDTH_FOR_PIPELINE ? 0 : 15;
  const state = wide ? 15 : 2;
  const way = 2;
  const detail = width < WIDTH_FOR_PIPELINE ? 13 : 21;
  const faded: readonly Style[] = look === 'skipped' ? ['dim'] : [];
  return [
    { text: ` ${column(ticket.shortName, names)}`, styles: look === 'skipped' ? ['dim'] : ['bold'] },
    { text: column(clean(ticket.title), width - 1 - names - pipeline - way - state - detail), styles: faded },
    { text: column(ticket.pipeline, pipeline), styles: ['dim'] },
    { text: (came?.symbol ?? '').padEnd(way), styles: came?.styles ?? [] },
    { text: `${look === 'in-progress' ? turning : symbol} ${wide ? word : ''}`.padEnd(state), styles },
    { text: detailOf(ticket, nowMs, width), styles: ['dim'] },
  ];
}

/** Who is at it, for how long, in which attempt. */
function detailOf({ look, life, sinceMs, why, asked }: BoardTicket, nowMs: number, width: number): string {
  switch (look) {
    case 'skipped':
      return why;
    case 'new':
      return '';
    case 'pending':
      return asked > 1 ? 'asked again' : 'by hand';
    case 'enqueued':
      return `waits ${seconds(nowMs - sinceMs)}`;
    case 'interrupted':
      return `${life?.replica ?? 'worker'} gone`;
    case 'in-progress':
    case 'done':
    case 'failed': {
      if (life === undefined) return '';
      const again = width < WIDTH_FOR_PIPELINE ? `#${life.attempt}` : `, attempt ${life.attempt}`;
      const tookMs = (life.endedAtMs ?? nowMs) - life.startedAtMs;
      return `${life.replica} ${seconds(tookMs)}${life.attempt > 1 ? again : ''}`;
    }
    default:
      return unreachable(look);
  }
}

function seconds(ms: number): string {
  return `${(Math.max(0, ms) / 1000).toFixed(1)}s`;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, one) => total + one, 0);
}

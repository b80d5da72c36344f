/**
 * The demo's picture, pure: a scene and the size of the window in, lines out. Nothing is wider than the window, nothing
 * taller, and no text of a ticket reaches the terminal with its control characters.
 */
import { stripVTControlCharacters } from 'node:util';
import { unreachable } from '../../foundation/errors.ts';
import { printable } from '../process.ts';
import type { Look, TicketView } from './board.ts';
import type { NewsLine, Tone } from './news.ts';
import type { ReplicaView } from './replica.ts';
import type { Verdict } from './verdict.ts';

export interface Scene {
  /** Wall-clock ms. */
  readonly nowMs: number;
  readonly elapsedMs: number;
  readonly replicas: readonly ReplicaView[];
  readonly tickets: readonly TicketView[];
  /** The latest news, oldest first; as many as may fit. */
  readonly news: readonly NewsLine[];
  readonly verdict: Verdict;
  readonly kills: number;
  /** Whether a person can press keys. */
  readonly keys: boolean;
}

export interface Size {
  readonly columns: number;
  readonly rows: number;
}

export type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'blue' | 'magenta' | 'cyan';
/** Colours a text, or leaves it as it is. */
export type Paint = (styles: readonly Style[], text: string) => string;

/** A piece of a line: cut to the window first, painted last, so that no escape code is ever cut. */
interface Cell {
  readonly text: string;
  readonly styles?: readonly Style[];
}

const WIDEST = 132;
/** Below these widths the pipeline has no column of its own, and an attempt only a number. */
const WIDTH_FOR_PIPELINE = 72;
const WIDTH_FOR_WORDS = 100;
const FEWEST_NEWS = 5;
/** In a low window they may not crowd out the tickets. */
const NEWS_SHARE = 0.4;
const MOST_NEWS = 12;
const segmenter = new Intl.Segmenter();
const SPINNER = ['◐', '◓', '◑', '◒'] as const;
const SPIN_MS = 250;

const LOOKS: Readonly<
  Record<Look, { readonly symbol: string; readonly word: string; readonly styles: readonly Style[] }>
> = {
  new: { symbol: '·', word: 'new', styles: ['dim'] },
  pending: { symbol: '○', word: 'pending', styles: ['blue'] },
  enqueued: { symbol: '○', word: 'enqueued', styles: ['yellow'] },
  'in-progress': { symbol: '◐', word: 'in progress', styles: ['cyan'] },
  orphaned: { symbol: '!', word: 'orphaned', styles: ['magenta'] },
  done: { symbol: '✔', word: 'done', styles: ['green'] },
  failed: { symbol: '✖', word: 'failed', styles: ['red'] },
  ignored: { symbol: '–', word: 'left alone', styles: ['dim'] },
};

const TONES: Readonly<Record<Tone, readonly Style[]>> = {
  plain: [],
  person: ['blue'],
  good: ['green'],
  bad: ['red'],
  chaos: ['magenta'],
};

const ROLES: Readonly<Record<string, string>> = { poller: 'polling', housekeeping: 'repair' };

/** What a role means to a viewer. */
export function roleInWords(role: string): string {
  return ROLES[role] ?? role;
}

export function renderScene(scene: Scene, size: Size, paint: Paint): string[] {
  const width = Math.min(size.columns - 1, WIDEST);
  const head = [title(scene), [], ...scene.replicas.map((replica) => replicaLine(replica, width)), []];
  const foot = [[], counters(scene), ...(scene.keys ? [keys()] : [])];

  // The last row stays free: a line feed there would scroll the picture.
  const room = size.rows - 1 - head.length - foot.length;
  const leastNews = Math.min(FEWEST_NEWS, Math.floor(room * NEWS_SHARE));
  const forNews = Math.min(MOST_NEWS, Math.max(leastNews, room - scene.tickets.length - 2));
  const forTickets = Math.max(1, room - forNews - 2);
  const shown = chooseTickets(scene.tickets, forTickets);
  const hidden = scene.tickets.filter(({ closed }) => !closed).length - shown.length;
  const body = [
    tableHead(shown, width),
    ...shown.map((ticket) => ticketLine(ticket, shown, scene, width)),
    more(hidden),
  ];
  const news = scene.news.slice(-Math.max(0, Math.min(forNews, room - body.length))).map(newsLine);

  return [...head, ...body, ...news, ...foot]
    .slice(0, Math.max(1, size.rows - 1))
    .map((line) => lay(line, width, paint));
}

/** A line of news for output without a screen. */
export function plainNews({ atMs, text }: NewsLine): string {
  return `${clock(atMs)}  ${clean(text)}`;
}

/** All that still move, then those that moved last, then those that never will; each in its place on the board. */
function chooseTickets(tickets: readonly TicketView[], room: number): TicketView[] {
  const weight = ({ look, sinceMs }: TicketView): number => {
    if (look === 'ignored') return 0;
    return look === 'done' || look === 'failed' ? sinceMs : Number.POSITIVE_INFINITY;
  };
  const open = tickets.filter(({ closed }) => !closed);
  const chosen = new Set([...open].sort((a, b) => compare(weight(b), weight(a))).slice(0, room));
  return open.filter((ticket) => chosen.has(ticket));
}

function compare(a: number, b: number): number {
  return a === b ? 0 : a - b;
}

function title({ elapsedMs }: Scene): Cell[] {
  return [
    { text: ' Agent Smith', styles: ['bold', 'cyan'] },
    { text: '  a label becomes exactly one run', styles: ['bold'] },
    { text: `  ${clock(elapsedMs)}`, styles: ['dim'] },
  ];
}

function replicaLine({ name, pid, state, leads, activeRuns, problem }: ReplicaView, width: number): Cell[] {
  const name_: Cell = { text: name.padEnd(6), styles: ['bold'] };
  const process_: Cell = {
    text: width < 50 ? '' : (pid === undefined ? '' : `pid ${pid}`).padEnd(13),
    styles: ['dim'],
  };
  switch (state) {
    case 'killed':
      return [{ text: ' ✖ ', styles: ['magenta'] }, name_, process_, { text: 'killed', styles: ['magenta'] }];
    case 'starting':
      return [{ text: ' ○ ', styles: ['yellow'] }, name_, process_, { text: 'starting', styles: ['yellow'] }];
    case 'up': {
      const led = leads.map(roleInWords).join(' and ');
      return [
        { text: ' ● ', styles: ['green'] },
        name_,
        process_,
        led === ''
          ? { text: 'follows'.padEnd(26), styles: ['dim'] }
          : { text: `leads ${led}`.padEnd(26), styles: ['yellow'] },
        { text: activeRuns === 0 ? 'idle' : `${'■'.repeat(activeRuns)} ${activeRuns} at work`, styles: ['cyan'] },
        { text: problem === undefined ? '' : `  ${clean(problem)}`, styles: ['red'] },
      ];
    }
    default:
      return unreachable(state);
  }
}

/** Widths of the columns, with the gap behind them; the title gets what is left. */
function columns(tickets: readonly TicketView[], width: number) {
  const name = Math.max(6, ...tickets.map((ticket) => ticket.name.length)) + 2;
  const pipeline = width < WIDTH_FOR_PIPELINE ? 0 : 15;
  const state = 15;
  const detail = width < WIDTH_FOR_WORDS ? 14 : 21;
  return { name, pipeline, state, title: Math.max(0, width - 1 - name - pipeline - state - detail) };
}

function tableHead(shown: readonly TicketView[], width: number): Cell[] {
  const at = columns(shown, width);
  const text = ` ${fit('ticket', at.name)}${fit('title', at.title)}${fit('pipeline', at.pipeline)}state`;
  return [{ text, styles: ['dim'] }];
}

function more(hidden: number): Cell[] {
  return hidden > 0 ? [{ text: ` … and ${hidden} more`, styles: ['dim'] }] : [];
}

function ticketLine(ticket: TicketView, shown: readonly TicketView[], scene: Scene, width: number): Cell[] {
  const at = columns(shown, width);
  const { look } = ticket;
  const { symbol, word, styles } = LOOKS[look];
  const turning = SPINNER[Math.floor(scene.nowMs / SPIN_MS) % SPINNER.length] ?? symbol;
  const faded: readonly Style[] = look === 'ignored' ? ['dim'] : [];
  return [
    { text: ` ${ticket.name.padEnd(at.name)}`, styles: look === 'ignored' ? ['dim'] : ['bold'] },
    { text: column(clean(ticket.title), at.title), styles: faded },
    { text: column(ticket.pipeline, at.pipeline), styles: ['dim'] },
    { text: `${look === 'in-progress' ? turning : symbol} ${word}`.padEnd(at.state), styles },
    { text: detailOf(ticket, scene.nowMs, width), styles: ['dim'] },
  ];
}

/** Who is at it, for how long, in which attempt. */
function detailOf({ look, life, sinceMs, why, asked }: TicketView, nowMs: number, width: number): string {
  switch (look) {
    case 'ignored':
      return why;
    case 'new':
      return '';
    case 'pending':
      return asked > 1 ? 'asked again' : 'set by hand';
    case 'enqueued':
      return `waits ${seconds(nowMs - sinceMs)}`;
    case 'orphaned':
      return `${life?.replica ?? 'its worker'} is gone`;
    case 'in-progress':
    case 'done':
    case 'failed': {
      if (life === undefined) return '';
      const attempt = width < WIDTH_FOR_WORDS ? ` #${life.attempt}` : `, attempt ${life.attempt}`;
      const tookMs = (life.endedAtMs ?? nowMs) - life.startedAtMs;
      return `${life.replica} ${seconds(tookMs)}${life.attempt > 1 ? attempt : ''}`;
    }
    default:
      return unreachable(look);
  }
}

function newsLine({ atMs, text, tone }: NewsLine): Cell[] {
  return [
    { text: ` ${clock(atMs)}  `, styles: ['dim'] },
    { text: clean(text), styles: TONES[tone] },
  ];
}

function counters({ verdict, kills }: Scene): Cell[] {
  const { tickets, done, failed, open, doubled } = verdict;
  const alarm: readonly Style[] = doubled.length > 0 ? ['bold', 'red'] : ['bold'];
  return [
    { text: ` ${tickets} tickets`, styles: ['bold'] },
    { text: `  ✔ ${done} done`, styles: ['green'] },
    { text: `  ✖ ${failed} failed`, styles: ['red'] },
    { text: `  ◐ ${open.length} to go`, styles: ['cyan'] },
    { text: `  ${doubled.length} doubled`, styles: alarm },
    { text: kills === 0 ? '' : `  ${kills} ${kills === 1 ? 'kill' : 'kills'} survived`, styles: ['magenta'] },
  ];
}

function keys(): Cell[] {
  return [{ text: ' k kill the leader   n new ticket   q quit', styles: ['dim'] }];
}

function lay(line: readonly Cell[], width: number, paint: Paint): string {
  let left = width;
  const painted = line.map(({ text, styles = [] }) => {
    const cut = cutTo(text, left);
    left -= widthOf(cut);
    return cut === '' || styles.length === 0 ? cut : paint(styles, cut);
  });
  return painted.join('');
}

/** A text in a column with a gap behind it. */
function column(text: string, width: number): string {
  return width === 0 ? '' : `${fit(text, width - 2)}  `;
}

/** Exactly this wide: cut with an ellipsis or filled up. */
function fit(text: string, width: number): string {
  const cut = cutTo(text, width);
  return cut + ' '.repeat(Math.max(0, width - widthOf(cut)));
}

function cutTo(text: string, width: number): string {
  const characters = charactersOf(text);
  if (characters.length <= width) return text;
  return width <= 0
    ? ''
    : `${characters
        .slice(0, width - 1)
        .join('')
        .trimEnd()}…`;
}

/** Every character counts as one column: true for our samples, which hold no wide ones. */
function widthOf(text: string): number {
  return charactersOf(text).length;
}

function charactersOf(text: string): string[] {
  return Array.from(segmenter.segment(text), ({ segment }) => segment);
}

function clean(text: string): string {
  return printable(stripVTControlCharacters(text));
}

function clock(ms: number): string {
  const whole = Math.floor(ms / 1000);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}`;
}

function seconds(ms: number): string {
  return `${(Math.max(0, ms) / 1000).toFixed(1)} s`;
}

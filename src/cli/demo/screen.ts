/**
 * The demo's picture, pure: a scene and the size of the window in, lines out. Nothing is wider than the window, nothing
 * taller.
 */
import type { EngineKind } from '../../domain/project.ts';
import type { Site } from '../../emulators/sites.ts';
import { unreachable } from '../../foundation/errors.ts';
import type { BoardTicket } from './board-ticket.ts';
import { type Cell, clean, lay, type Paint, type Style } from './cells.ts';
import type { NewsLine, Tone } from './news.ts';
import type { ReplicaView } from './replica.ts';
import { LOOKS, renderSections, wantedHeight } from './sections.ts';
import type { Verdict } from './verdict.ts';
import { WAYS } from './ways.ts';

export interface Scene {
  /** Wall-clock ms. */
  readonly nowMs: number;
  readonly elapsedMs: number;
  readonly replicas: readonly ReplicaView[];
  /** One section each, in this order. */
  readonly sites: readonly Pick<Site, 'platform' | 'name'>[];
  /** How the tickets of a platform come in, by its slug. */
  readonly engines: ReadonlyMap<string, EngineKind>;
  readonly tickets: readonly BoardTicket[];
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

const WIDEST = 170;
const FEWEST_NEWS = 4;
/** In a low window they may not crowd out the tickets. */
const NEWS_SHARE = 0.3;
const MOST_NEWS = 12;
/** Those that the counters do not explain already. */
const LEGEND = [
  ...(['webhook', 'poll'] as const).map((way) => WAYS[way]),
  ...(['pending', 'enqueued', 'in-progress', 'interrupted', 'skipped'] as const).map((look) => LOOKS[look]),
];

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
  const sections = scene.sites.map(({ platform, name }) => ({
    name,
    engine: scene.engines.get(platform),
    tickets: scene.tickets.filter((ticket) => ticket.platform === platform && !ticket.closed),
  }));
  const head = [title(scene), ...scene.replicas.map((replica) => replicaLine(replica, width)), []];
  const foot = [[], legend(), counters(scene), ...(scene.keys ? [keys(sections.length)] : [])];

  // The last row stays free: a line feed there would scroll the picture.
  const room = size.rows - 1 - head.length - foot.length - 1;
  const leastNews = Math.min(FEWEST_NEWS, Math.floor(room * NEWS_SHARE));
  const forNews = Math.max(0, leastNews, Math.min(MOST_NEWS, room - wantedHeight(sections, width)));
  const body = renderSections(sections, { width, height: Math.max(1, room - forNews) }, scene.nowMs);
  const news = scene.news.slice(scene.news.length - Math.min(forNews, scene.news.length)).map(newsLine);

  return [...head, ...body, [], ...news, ...foot]
    .slice(0, Math.max(1, size.rows - 1))
    .map((line) => lay(line, width, paint));
}

/** A line of news for output without a screen. */
export function plainNews({ atMs, text }: NewsLine): string {
  return `${clock(atMs)}  ${clean(text)}`;
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
    { text: `  ${doubled.length} doubled`, styles: alarm },
    { text: `  ${open.length} to go`, styles: ['cyan'] },
    { text: kills === 0 ? '' : `  ${kills} ${kills === 1 ? 'kill' : 'kills'} survived`, styles: ['magenta'] },
  ];
}

/** What the symbols mean: in a narrow section they stand alone. */
function legend(): Cell[] {
  return LEGEND.map(({ symbol, word, styles }) => ({ text: `  ${symbol} ${word}`, styles }));
}

function keys(sections: number): Cell[] {
  return [{ text: ` k kill the leader   n new ticket   1-${sections} on that platform   q quit`, styles: ['dim'] }];
}

function clock(ms: number): string {
  const whole = Math.floor(ms / 1000);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}`;
}

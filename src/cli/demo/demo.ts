/**
 * `agent-smith demo`: two real replicas work off the tickets of emulated trackers, while people write tickets and
 * replicas are killed. Everything lives in one temporary folder and in child processes that cannot outlive this one.
 *
 * With `--once` it ends when all sample tickets have ended, and its exit code is a verdict: 0 only if none was lost and
 * none was run twice, by the ledgers of the emulators and of the pipelines (see verdict.ts).
 */
import type { Environment } from '../../config/expand.ts';
import { lifecycleOf, lifecyclesOf } from '../../domain/lifecycle.ts';
import type { LedgerEntry } from '../../emulators/ledger.ts';
import type { Site } from '../../emulators/sites.ts';
import { every } from '../../foundation/loop.ts';
import { type ExitCode, untilDismissed } from '../process.ts';
import { createEndWatch } from './end-watch.ts';
import { createNews, type News, newsOfArrival, newsOfMove, newsOfRunner } from './news.ts';
import { createPeople, type People } from './people.ts';
import { roleInWords, type Scene } from './screen.ts';
import { openStage, type Stage } from './stage.ts';
import { openTerminal } from './terminal.ts';
import { summaryLine, type Verdict } from './verdict.ts';

export interface DemoOptions {
  readonly env: Environment;
  /** End when all sample tickets have ended. */
  readonly once: boolean;
  /** How many tickets are there from the start; 16, or 12 in the endless demo. */
  readonly tickets?: number | undefined;
}

const TICKETS_ONCE = 16;
const TICKETS_ENDLESS = 12;
const BEATS_ONCE = { least: 2, most: 7 };
const BEATS_ENDLESS = { least: 4, most: 20 };
const REFRESH_MS = 125;
const NEWS_SHOWN = 20;

export async function demo(options: DemoOptions): Promise<ExitCode> {
  const ending = new AbortController();
  const end = (): void => ending.abort();
  untilDismissed(options.env).addEventListener('abort', end, { once: true });
  const failures: unknown[] = [];
  const fail = (error: unknown): void => {
    failures.push(error);
    end();
  };

  const stage = await openStage({
    env: options.env,
    beats: options.once ? BEATS_ONCE : BEATS_ENDLESS,
    onProcessEnd: (how) => fail(new Error(how)),
  });
  try {
    const { verdict, cutShort } = await play(stage, options, { ending, fail });
    if (failures.length > 0) throw failures[0];
    if (cutShort) return sayGoodbye(verdict, options);
    const good = verdict.open.length === 0 && verdict.doubled.length === 0;
    await stage.close({ keepDir: !good });
    for (const sentence of [...verdict.open, ...verdict.doubled]) console.log(sentence);
    if (!good) console.log(`the logs of the replicas are in ${stage.dir}`);
    console.log(summaryLine(verdict));
    return good ? 0 : 1;
  } finally {
    await stage.close();
  }
}

interface Ending {
  /** Aborted when it is over, for whatever reason. */
  readonly ending: AbortController;
  readonly fail: (error: unknown) => void;
}

async function play(
  stage: Stage,
  options: DemoOptions,
  { ending, fail }: Ending,
): Promise<{ readonly verdict: Verdict; readonly cutShort: boolean }> {
  const { sites, ledger, board, replicas } = stage;
  const { signal } = ending;
  const startedAtMs = Date.now();
  const end = (): void => ending.abort();
  const terminal = openTerminal(options.env, (key) => press(key));
  const news = createNews(startedAtMs, (line) => terminal.announce(line));
  const people = createPeople({ ...stage, news, signal });
  const press = (key: string): void => {
    if (key === 'k') people.killLeader().catch(fail);
    if (key === 'n') people.openTicket();
    const site = sites[Number(key) - 1];
    if (site !== undefined) people.openTicket(site);
    if (key === 'q' || key === '\u0003') end();
  };
  const nameOf = (page: string): string => board.find(page)?.name ?? page;
  const seeLabels = (site: Site, entry: LedgerEntry): void => {
    if (entry.kind !== 'label' || entry.by.kind !== 'token') return;
    const ticket = board.findIn(site, entry.ticket);
    for (const to of lifecyclesOf(entry.added)) {
      const name = ticket?.name ?? entry.ticket;
      const piece = newsOfMove(name, to, entry.removed.map(lifecycleOf));
      if (piece !== undefined) news.tell(piece.text, piece.tone);
      if (ticket !== undefined) people.seeMove(ticket, to);
    }
  };
  const unsubscribe = sites.map((site) => site.project.ledger.subscribe((entry) => seeLabels(site, entry)));
  const watchLeaders = createLeaderWatch(stage, news);
  const isOver = createEndWatch({ ...stage, startedAtMs });
  let ended = false;

  const refresh = async (): Promise<Scene> => {
    for (const claim of replicas.flatMap((replica) => replica.takeClaims())) {
      const ticket = board.noteClaim(claim);
      if (ticket?.arrival === undefined) continue;
      const piece = newsOfArrival(ticket.name, ticket.arrival);
      news.tell(piece.text, piece.tone);
    }
    for (const line of await ledger.read()) {
      const piece = newsOfRunner(line, nameOf);
      if (piece !== undefined) news.tell(piece.text, piece.tone);
    }
    await Promise.all(replicas.map((replica) => replica.look()));
    watchLeaders();
    const views = replicas.map((replica) => replica.view());
    const scene: Scene = {
      nowMs: Date.now(),
      elapsedMs: Date.now() - startedAtMs,
      replicas: views,
      sites,
      engines: new Map(views.flatMap(({ engines }) => [...engines])),
      tickets: board.tickets(),
      news: news.latest(NEWS_SHOWN),
      verdict: board.verdict(),
      kills: ledger.kills().length,
      keys: terminal.keys,
    };
    terminal.draw(scene);
    return scene;
  };

  try {
    people.openFirst(options.tickets ?? (options.once ? TICKETS_ONCE : TICKETS_ENDLESS));
    news.tell(`two replicas start, ${board.verdict().tickets} tickets are waiting`);
    for (const replica of replicas) replica.start();
    const happening = (options.once ? playOnce(people) : playOn(people)).catch(fail);
    await every({ intervalMs: REFRESH_MS, signal, onError: fail }, async () => {
      const { verdict } = await refresh();
      if (!options.once || !isOver(verdict, people.unopened())) return;
      ended = true;
      end();
    });
    await happening;
    const last = await refresh();
    terminal.close(last);
    return { verdict: last.verdict, cutShort: !ended || (options.once && people.unopened() > 0) };
  } finally {
    terminal.close();
    for (const stop of unsubscribe) stop();
  }
}

async function playOnce(people: People): Promise<void> {
  await Promise.all([people.openOthers(), people.killOnce()]);
}

async function playOn(people: People): Promise<void> {
  await people.openOthers();
  await people.keepGoing();
}

/** Tells when another replica begins to lead. */
function createLeaderWatch({ replicas }: Stage, news: News): () => void {
  const leaders = new Map<string, string>();
  return () => {
    for (const { name, leads } of replicas.map((replica) => replica.view())) {
      for (const role of leads) {
        if (leaders.get(role) === name) continue;
        news.tell(`${name} leads ${roleInWords(role)}${leaders.has(role) ? ' from now on' : ''}`, 'chaos');
        leaders.set(role, name);
      }
    }
  };
}

/** Somebody has had enough: no verdict on what is still on its way, and none that is good for `--once`. */
function sayGoodbye({ tickets, done, failed, open, doubled }: Verdict, { once }: DemoOptions): ExitCode {
  for (const sentence of doubled) console.log(sentence);
  const counted = `${done} done, ${failed} failed, ${open.length} still on their way, ${doubled.length} doubled`;
  console.log(`demo stopped: ${tickets} tickets, ${counted}`);
  return once || doubled.length > 0 ? 1 : 0;
}

/**
 * Who makes things happen in the demo: people who write tickets, change labels, ask again and close what is done, and
 * somebody who pulls the plug of a replica now and then. Each act is told, so that a viewer can follow.
 */
import type { Lifecycle } from '../../domain/lifecycle.ts';
import { sleep } from '../../foundation/loop.ts';
import type { BoardTicket } from './board-ticket.ts';
import { between, pick, somebody } from './chance.ts';
import { type RunnerLedger, SERVICE } from './ledger.ts';
import { newsOfKill } from './news.ts';
import type { Replica } from './replica.ts';
import { createTicketWriters, type TicketWriters, type TicketWritersDeps } from './ticket-writers.ts';

export interface People extends TicketWriters {
  /** Somebody may change people's labels in the very moment in which we have changed ours. */
  seeMove(ticket: BoardTicket, to: Lifecycle): void;
  /** Kills one replica that is at work, and brings it back. */
  killOnce(): Promise<void>;
  /** Goes on until the signal aborts. */
  keepGoing(): Promise<void>;
  /** Kills the replica that leads the polling and brings it back; says so if this is no moment for it. */
  killLeader(): Promise<void>;
}

export interface PeopleDeps extends TicketWritersDeps {
  readonly ledger: RunnerLedger;
}

const PACE_MS = { least: 1_500, most: 3_500 };
const KILL_MS = { least: 25_000, most: 35_000 };
/** More than this at once and a viewer cannot follow. */
const MOST_ON_THEIR_WAY = 9;
/** A fresh end is looked at before somebody asks again or closes the ticket. */
const ASK_AGAIN_AFTER_MS = 10_000;
const CLOSE_AFTER_MS = 18_000;
/** Long enough dead for the other replica to take the lead. */
const DEAD_MS = 4_000;
const DEAD_ONCE_MS = 1_000;
const LOOK_AROUND_MS = 50;

export function createPeople(deps: PeopleDeps): People {
  const { hooked, board, ledger, replicas, news, signal } = deps;
  const writers = createTicketWriters(deps);
  /** Whose labels somebody has changed already, at which move. */
  const edited = new Set<string>();
  let killing = false;

  const leader = (): Replica | undefined => replicas.find((replica) => replica.view().leads.includes('poller'));
  const allUp = (): boolean => replicas.every((replica) => replica.view().state === 'up');

  /**
   * The leader, so that its death shows both a failover and a hand-back; anybody, if it gets nothing to do any more, and at
   * the very end one that waits for the service.
   */
  const victimAtWork = (): Replica | undefined => {
    const working = replicas.filter(({ name }) => ledger.ticketsAtWork(name).length > 0);
    const leading = leader();
    if (leading !== undefined && working.includes(leading)) return leading;
    const allStarted = board.tickets().every(({ asked, life }) => asked === 0 || life !== undefined);
    return allStarted ? (working[0] ?? replicas.find((replica) => replica.view().activeRuns > 0)) : undefined;
  };

  const isHooked = ({ platform }: BoardTicket): boolean => hooked.some((site) => site.platform === platform);

  const kill = async (replica: Replica, deadMs: number): Promise<void> => {
    killing = true;
    const atWork = (name: string): string[] => ledger.ticketsAtWork(name).map((page) => board.find(page)?.name ?? page);
    const stopped = atWork(replica.name);
    await replica.kill();
    await ledger.noteKill(replica.name);
    const { text, tone } = newsOfKill(replica.name, stopped, atWork(SERVICE));
    news.tell(text, tone);
    if (await sleep(deadMs, signal)) {
      replica.start();
      news.tell(`${replica.name} is started again`, 'chaos');
    }
    killing = false;
  };

  /** One thing that people do all day; nothing, if there is no occasion for it. */
  const act = (): void => {
    const tickets = board.tickets().filter(({ closed, asked }) => !closed && asked > 0);
    const since = (ticket: BoardTicket): number => Date.now() - ticket.sinceMs;
    const broken = pick(tickets.filter((t) => t.look === 'failed' && t.asked === 1 && since(t) > ASK_AGAIN_AFTER_MS));
    if (broken !== undefined) {
      const by = somebody();
      board.askAgain(broken.page, by);
      news.tell(`${by} asks for ${broken.name} once more`, 'person');
      return;
    }
    const finished = pick(tickets.filter((t) => t.look === 'done' && since(t) > CLOSE_AFTER_MS));
    if (finished !== undefined) {
      const by = somebody();
      board.close(finished.page, by);
      news.tell(`${by} is happy and closes ${finished.name}`, 'person');
    }
    if (tickets.filter(({ end }) => end === 'open').length < MOST_ON_THEIR_WAY) writers.openTicket();
  };

  const keepKilling = async (): Promise<void> => {
    while (await sleep(between(KILL_MS), signal)) {
      const victim = Math.random() < 0.7 ? leader() : pick(replicas);
      if (victim !== undefined && allUp() && !killing) await kill(victim, DEAD_MS);
    }
  };

  return {
    ...writers,
    seeMove({ page, name, edits }, to) {
      if (edits === undefined || edited.has(`${page} ${to}`)) return;
      edited.add(`${page} ${to}`);
      const by = somebody();
      // After this request, but before the next one: between our new label and the end of our old one.
      if (to === 'enqueued') {
        setImmediate(() => board.addLabel(page, edits.adds, by));
        news.tell(`${by} puts the label ${edits.adds} on ${name}`, 'person');
      }
      if (to === 'in-progress') {
        setImmediate(() => board.removeLabel(page, edits.removes, by));
        news.tell(`${by} takes the label ${edits.removes} off ${name}`, 'person');
      }
    },
    async killOnce() {
      do {
        // Not before webhooks come in: what was accepted by then must survive.
        const begun = board.tickets().some((ticket) => isHooked(ticket) && ticket.arrival !== undefined);
        const victim = begun ? victimAtWork() : undefined;
        if (victim !== undefined) return await kill(victim, DEAD_ONCE_MS);
      } while (await sleep(LOOK_AROUND_MS, signal));
    },
    async keepGoing() {
      const killer = keepKilling();
      while (await sleep(between(PACE_MS), signal)) act();
      await killer;
    },
    async killLeader() {
      const victim = leader();
      if (killing || victim === undefined || !allUp()) {
        news.tell('not now: first both replicas must be up and one of them lead', 'chaos');
        return;
      }
      await kill(victim, DEAD_MS);
    },
  };
}

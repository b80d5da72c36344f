/**
 * Trackers that refuse, fail, hang and lie, and webhooks that are lost, doubled and late. Such a fault hits work when it
 * meets a request about a ticket that is on its way, or a change of one that was to be told of.
 */
import { lifecyclesOf } from '../../../src/domain/lifecycle.ts';
import type { Fault as Answer } from '../../../src/emulators/faults.ts';
import type { LedgerEntry } from '../../../src/emulators/ledger.ts';
import type { Site } from '../../../src/emulators/sites.ts';
import type { RoadFault } from '../../../src/emulators/webhook-sender.ts';
import { sleep } from '../../../src/foundation/loop.ts';
import type { Fault, Stage } from './fault.ts';

export const API_FAULTS: readonly Fault[] = [
  answers('429', { kind: 'answer', status: 429, headers: { 'retry-after': '1' } }, 5),
  answers('500', { kind: 'answer', status: 500 }),
  answers('503', { kind: 'answer', status: 503, headers: { 'retry-after': '1' } }, 5),
  answers('502 after the work was done', { kind: 'apply-then-answer', status: 502 }, 10),
  answers('hangs', { kind: 'hang' }),
  answers('hangs after the work was done', { kind: 'apply-then-hang' }, 10),
  answers('connection cut', { kind: 'cut' }),
  answers('connection cut after the work was done', { kind: 'apply-then-cut' }, 20),
  answers('half an answer', { kind: 'cut-inside-body' }, 20),
  answers('a sign-in page', { kind: 'html' }),
  async function slow(stage) {
    const site = pickSite(stage);
    const delayMs = Math.round(stage.chance.between(0.1, 1.2) * stage.timing.claimCallMs);
    await answer(stage, site, 'slow', { kind: 'latency', delayMs });
  },
];

export const WEBHOOK_FAULTS: readonly Fault[] = [
  onTheRoad('webhooks lost', 'drop'),
  onTheRoad('webhooks doubled', 'double'),
  async function reordered(stage) {
    const site = pickSite(stage);
    await spoil(stage, site, 'webhooks late and in reverse', 'hold');
    site.project.webhooks.release();
  },
];

/** @param times how many requests it happens to; without it all, while the fault lasts */
function answers(name: string, how: Answer, times?: number): Fault {
  return (stage) => answer(stage, pickSite(stage), name, how, times);
}

async function answer(stage: Stage, site: Site, name: string, how: Answer, times?: number): Promise<void> {
  const isHit = (entry: LedgerEntry): boolean =>
    entry.kind === 'request' && entry.fault === how.kind && ticketsOf(entry.path).some((id) => isOnItsWay(site, id));
  await watched(stage, site, name, isHit, async () => {
    const injected = site.project.faults.inject(times === undefined ? {} : { times }, how);
    await hold(stage);
    injected.remove();
  });
}

function onTheRoad(name: string, fault: RoadFault): Fault {
  return (stage) => spoil(stage, pickSite(stage), name, fault);
}

async function spoil(stage: Stage, site: Site, name: string, fault: RoadFault): Promise<void> {
  const isHit = (entry: LedgerEntry): boolean => entry.kind === 'label' && isOnItsWay(site, idOf(entry.ticket));
  await watched(stage, site, name, isHit, async () => {
    site.project.webhooks.spoil(fault);
    await hold(stage);
    site.project.webhooks.mend();
  });
}

/** Plays a fault and says of it whether the ledger has shown a hit meanwhile. */
async function watched(
  stage: Stage,
  site: Site,
  name: string,
  isHit: (entry: LedgerEntry) => boolean,
  play: () => Promise<void>,
): Promise<void> {
  let hit = false;
  const stop = site.project.ledger.subscribe((entry) => {
    hit ||= isHit(entry);
  });
  const over = stage.begin(name, site.name, false);
  await play();
  stop();
  over(hit);
}

function hold({ chance, timing, signal }: Stage): Promise<boolean> {
  return sleep(chance.between(0.2, 1.5) * timing.claimDeadlineMs, signal);
}

function pickSite({ world, chance }: Stage): Site {
  return chance.pick(world.sites);
}

/** Ids of the tickets that a request names, as all four write their paths; none for a listing. */
function ticketsOf(path: string): readonly string[] {
  const one = /\/(?:issues?|workitems)\/([A-Z]+-\d+|\d+)/i.exec(path)?.[1];
  const some = new URL(path, 'http://tracker').searchParams.get('ids');
  return [...(one === undefined ? [] : [one]), ...(some?.split(',') ?? [])];
}

/** `6` of `acme/shop#6`; the whole of `SHOP-6`. */
function idOf(ticket: string): string {
  return ticket.slice(ticket.lastIndexOf('#') + 1);
}

/** It is open, and has not ended. @param id as its page has it, or the tracker's own */
function isOnItsWay({ project }: Site, id: string): boolean {
  const found = project.all().find((one) => one.id === id || idOf(one.ticket) === id);
  if (found === undefined || !found.open) return false;
  const shown = lifecyclesOf(found.labels);
  return !shown.includes('done') && !shown.includes('failed');
}

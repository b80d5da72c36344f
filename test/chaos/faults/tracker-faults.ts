/** Trackers that refuse, fail, hang and lie, and webhooks that are lost, doubled and late. */
import { lifecyclesOf } from '../../../src/domain/lifecycle.ts';
import type { Fault as Answer } from '../../../src/emulators/faults.ts';
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
    const over = stage.begin('slow', site.name, hasWork(site));
    const delayMs = Math.round(stage.chance.between(0.1, 1.2) * stage.timing.claimCallMs);
    const injected = site.project.faults.inject({}, { kind: 'latency', delayMs });
    await hold(stage);
    injected.remove();
    over();
  },
];

export const WEBHOOK_FAULTS: readonly Fault[] = [
  onTheRoad('webhooks lost', 'drop'),
  onTheRoad('webhooks doubled', 'double'),
  async function reordered(stage) {
    const site = pickSite(stage);
    const over = stage.begin('webhooks late and in reverse', site.name, hasWork(site));
    site.project.webhooks.spoil('hold');
    await hold(stage);
    site.project.webhooks.mend();
    site.project.webhooks.release();
    over();
  },
];

/** @param times how many requests it happens to; without it all, while the fault lasts */
function answers(name: string, answer: Answer, times?: number): Fault {
  return async (stage) => {
    const site = pickSite(stage);
    const over = stage.begin(name, site.name, hasWork(site));
    const injected = site.project.faults.inject(times === undefined ? {} : { times }, answer);
    await hold(stage);
    injected.remove();
    over();
  };
}

function onTheRoad(name: string, fault: RoadFault): Fault {
  return async (stage) => {
    const site = pickSite(stage);
    const over = stage.begin(name, site.name, hasWork(site));
    site.project.webhooks.spoil(fault);
    await hold(stage);
    site.project.webhooks.mend();
    over();
  };
}

function hold({ chance, timing, signal }: Stage): Promise<boolean> {
  return sleep(chance.between(0.2, 1.5) * timing.claimDeadlineMs, signal);
}

function pickSite({ world, chance }: Stage): Site {
  return chance.pick(world.sites);
}

/** Whether a ticket of the tracker is on its way: it is open, and has not ended. */
function hasWork({ project }: Site): boolean {
  return project.all().some(({ open, labels }) => {
    const shown = lifecyclesOf(labels);
    return open && !shown.includes('done') && !shown.includes('failed');
  });
}

/**
 * A painter brings labels to what the records say, as `label-writer.ts` does: looks at record and ticket, lets the table
 * decide, writes, and notes what became of it. What it knows may be old by then, and another painter may be at work.
 */
import { decideLabel, type LabelAction } from '../../../src/domain/label-table.ts';
import type { Lifecycle } from '../../../src/domain/lifecycle.ts';
import { isTerminal, type Run } from '../../../src/domain/run.ts';
import { unreachable } from '../../../src/foundation/errors.ts';
import type { Settlement } from '../../../src/runs/label-records.ts';
import * as protocol from '../label-model.ts';
import type { Step } from '../steps.ts';
import { currentRun, type World } from '../world.ts';

export interface Painter {
  intent: Intent | undefined;
}

type Intent =
  /** `run`: whose label it is; none for an orphan. */
  | { readonly kind: 'write'; readonly ticket: string; readonly lifecycle: Lifecycle; readonly run: Run | undefined }
  | { readonly kind: 'settle'; readonly run: Run; readonly what: 'confirmed' | 'doubt' }
  | { readonly kind: 'forget'; readonly run: string };

type PainterStep = Extract<Step, { by: 'painter' }>;

/** False when there is no such step now. */
export async function painterActs(world: World, step: PainterStep): Promise<boolean> {
  const painter = world.painters[step.who];
  if (painter === undefined) return false;
  const { intent } = painter;
  if (step.act === 'whole') {
    if (intent === undefined && !(await looks(world, painter, step))) return false;
    while (painter.intent !== undefined) await goesOn(world, painter, painter.intent, step.who);
    return true;
  }
  if (intent === undefined) {
    return (step.act === 'next' || step.act === 'old-run') && (await looks(world, painter, step));
  }
  switch (step.act) {
    case 'next':
    case 'old-run':
      return await goesOn(world, painter, intent, step.who);
    case 'refused':
    case 'given-up':
    case 'unwritable':
      return await failsAt(world, painter, intent, step);
    case 'die':
      painter.intent = undefined;
      return true;
    default:
      return unreachable(step.act);
  }
}

/** Somebody calls for a label: that of a run which is due, or of the ticket's run, or late for that of an earlier one. */
async function looks(world: World, painter: Painter, { who, act, ticket }: PainterStep): Promise<boolean> {
  const { lists, runs } = world.view.records;
  const oldest = act === 'old-run' ? world.runIds.find((run) => runs[run]?.ticket === ticket) : undefined;
  const due = lists.unconfirmed.find((run) => (runs[run]?.ticket ?? ticket) === ticket);
  const id = oldest ?? due ?? currentRun(world, ticket);
  const labels = world.platform.labelsOf(ticket);
  if (id === undefined) {
    // The platform pass of repair.
    if (world.model.recovery !== 3) return false;
    painter.intent = intentOf(decideLabel({ run: undefined, labels, locked: false }), ticket, undefined);
  } else {
    const run = await world.runs.get(id);
    if (run === undefined || !(await world.runs.isCurrent(run))) painter.intent = { kind: 'forget', run: id };
    else if (run.state === 'received') return false;
    else painter.intent = intentOf(decideLabel({ run, labels, locked: false }), ticket, run);
  }
  if (painter.intent === undefined) return false;
  world.trace.push(`painter ${who} looks at ticket ${ticket} with ${id ?? 'no run'} -> ${painter.intent.kind}`);
  return true;
}

function intentOf(action: LabelAction, ticket: string, run: Run | undefined): Intent | undefined {
  if (action.kind === 'write') return { kind: 'write', ticket, lifecycle: action.lifecycle, run };
  if (run === undefined) return undefined;
  if (action.kind === 'confirm') return { kind: 'settle', run, what: 'confirmed' };
  return action.kind === 'doubt' ? { kind: 'settle', run, what: 'doubt' } : undefined;
}

async function goesOn(world: World, painter: Painter, intent: Intent, who: number): Promise<boolean> {
  switch (intent.kind) {
    case 'write':
      world.platform.paint(intent.ticket, [intent.lifecycle]);
      world.trace.push(`painter ${who} writes ${intent.lifecycle} on ticket ${intent.ticket}`);
      painter.intent = intent.run && { kind: 'settle', run: intent.run, what: 'confirmed' };
      return true;
    case 'settle':
      return await settles(world, painter, intent.run, { kind: intent.what }, false, who);
    case 'forget':
      painter.intent = undefined;
      await world.act(
        `painter ${who} forgets ${intent.run}`,
        async () => {
          await world.labelRecords.forget(intent.run);
          return 'forgotten';
        },
        () => protocol.forget(world.model, intent.run),
      );
      return true;
    default:
      return unreachable(intent);
  }
}

/** The platform refuses: once, for too long, or for good. */
async function failsAt(world: World, painter: Painter, intent: Intent, step: PainterStep): Promise<boolean> {
  if (intent.kind === 'forget' || intent.run === undefined) return false;
  const { run } = intent;
  // One that was settled before is not ours because of a failed look.
  if (isTerminal(run.state) && run.labelState !== 'unconfirmed') return false;
  if (step.act !== 'unwritable') {
    return await settles(world, painter, run, { kind: 'refused', reason: '403' }, step.act === 'given-up', step.who);
  }
  if (!isTerminal(run.state)) return false;
  return await settles(world, painter, run, { kind: 'unwritable', reason: 'gone' }, false, step.who);
}

async function settles(
  world: World,
  painter: Painter,
  run: Run,
  settlement: Settlement,
  givenUp: boolean,
  who: number,
): Promise<boolean> {
  painter.intent = undefined;
  const records = givenUp ? world.labelRecordsLater : world.labelRecords;
  const seen = { run: run.id, ticket: run.ticketId, state: run.state, since: run.sinceMs };
  await world.act(
    `painter ${who} settles ${run.id}, ${run.state}: ${settlement.kind}${givenUp ? ' for too long' : ''}`,
    async () => {
      const reply = await records.settle(run, settlement);
      return reply.kind === 'settled' ? `${reply.labelState} ${reply.doubts}` : 'moved on';
    },
    () => protocol.settle(world.model, seen, settlement.kind, givenUp),
  );
  return true;
}

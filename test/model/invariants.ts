/** What must hold after every step, whatever the model says: read from what Redis shows and from who is at work. */
import assert from 'node:assert/strict';
import { isTerminal } from '../../src/domain/run.ts';
import { PAPER_PROJECT } from './paper-platform.ts';
import { LISTS, type View } from './view.ts';
import type { World } from './world.ts';

export function checkInvariants(world: World, before: View): void {
  const { records, endless } = world.view;
  const runs = Object.entries(records.runs);

  for (const ticket of Object.keys(records.tickets)) {
    const live = runs.filter(([, run]) => run.ticket === ticket && !isTerminal(run.state)).map(([id]) => id);
    // A fail-over may bring back a run that had ended: it is not its ticket's, so it can do nothing, until repair ends it.
    const own = live.filter((id) => world.server === 0 || records.tickets[ticket]?.run === id);
    assert.ok(own.length <= 1, `ticket ${ticket} has several live runs: ${own.join(', ')}`);
    const [first = records.tickets[ticket]?.run] = own;
    assert.equal(records.tickets[ticket]?.run, first, `ticket ${ticket} does not know its live run`);
    const working = world.workers.flatMap(({ attempt }, who) =>
      attempt?.runner === 'alive' && attempt.name.ticket === ticket ? [`worker ${who}`] : [],
    );
    assert.ok(working.length <= 1, `two runners work on ticket ${ticket}: ${working.join(', ')}`);
    const fence = records.tickets[ticket]?.fence ?? 0;
    const last = before.records.tickets[ticket]?.fence ?? 0;
    assert.ok(fence >= last || setBack(world), `the fence of ticket ${ticket} went from ${last} to ${fence}`);
  }

  for (const [id, run] of runs) {
    const lists = LISTS.filter((list) => list !== 'unconfirmed' && records.lists[list].includes(id));
    assert.deepEqual(lists, [run.state], `lists of ${id}, which is ${run.state}`);
    // Only the current run of a ticket has a label.
    const due = run.label === 'unconfirmed' && run.state !== 'received';
    if (records.tickets[run.ticket]?.run === id) {
      assert.equal(records.lists.unconfirmed.includes(id), due, `${id} is due exactly while its label is unconfirmed`);
    }
    const ended = world.ended.get(id);
    if (ended !== undefined && ended.state !== run.state) {
      // Whoever knows how it ended writes it once more after a loss, to say so again.
      const again = world.losses > 0 && run.state === 'running' && run.attemptFence === ended.fence;
      assert.ok(again, `${id} has ended as ${ended.state}, and is ${run.state} now`);
      world.ended.delete(id);
    }
    if (isTerminal(run.state)) world.ended.set(id, { state: run.state, fence: run.attemptFence });
  }

  const atWork = world.workers.filter(({ attempt }) => attempt?.runner === 'alive').length;
  assert.ok(
    atWork <= (PAPER_PROJECT.maxParallelJobs ?? 0),
    `${atWork} runners at work, above the cap of their project`,
  );

  for (const [ticket, heartbeat] of Object.entries(records.heartbeats)) {
    const run = records.tickets[ticket]?.run ?? '';
    const { attempt, attemptFence, state } = records.runs[run] ?? {};
    assert.equal(
      heartbeat,
      `${run}:${attempt}:${attemptFence}`,
      `the heartbeat of ticket ${ticket} is that of its run`,
    );
    assert.equal(state, 'running', `a heartbeat of ${run}`);
  }
  assert.deepEqual(endless, [], 'locks and heartbeats end by themselves');
}

/** The step that was just made has taken data away. */
function setBack({ trace }: World): boolean {
  return /^redis (flush|fail-over)/.test(trace.at(-1) ?? '');
}

/** The verdict itself: each broken promise is seen, and what nobody can help is not taken for one. */
import { expect, test } from 'vitest';
import { openSites } from '../../src/emulators/sites.ts';
import { createChronicle, type TicketEvent } from './chronicle.ts';
import type { PeoplesTicket } from './people.ts';
import { judge, type Verdict } from './verdict.ts';

const STARTED: TicketEvent = { kind: 'started', life: 'r/1', run: 'r', replica: 'replica-1' };
const ENDED: TicketEvent = { kind: 'ended', life: 'r/1', run: 'r', code: 0 };
const AGAIN: TicketEvent = { kind: 'started', life: 'r/2', run: 'r', replica: 'replica-2' };
const ENDED_AGAIN: TicketEvent = { kind: 'ended', life: 'r/2', run: 'r', code: 0 };
const ASKED: TicketEvent = { kind: 'asked', must: true };
const DONE: TicketEvent = { kind: 'labelled', lifecycle: 'done' };
const PLAIN: readonly TicketEvent[] = [ASKED, STARTED, { kind: 'labelled', lifecycle: 'in-progress' }, ENDED, DONE];

interface Scene {
  readonly events: readonly TicketEvent[];
  /** Of the ticket in the end. */
  readonly labels?: readonly string[];
  readonly wanted?: readonly string[];
  readonly fault?: SceneFault;
}

interface SceneFault {
  readonly kind: string;
  readonly target: string;
  /** How many events come before it; it lasts to the end. */
  readonly after: number;
}

async function verdictOf({ events, labels, wanted, fault }: Scene): Promise<Verdict> {
  const [site] = await openSites(['github']);
  if (site === undefined) throw new Error('there is no emulator');
  try {
    const opened = site.project.openTicket({ labels: [...(labels ?? ['agent-smith', 'agent-smith:done'])] });
    const ticket: PeoplesTicket = {
      site,
      name: opened.ticket,
      page: opened.url,
      wanted: new Set(wanted ?? ['agent-smith']),
      edits: 0,
      code: 0,
    };
    const chronicle = createChronicle();
    for (const [index, event] of events.entries()) {
      if (fault?.after === index) chronicle.fault({ kind: fault.kind, name: '', target: fault.target, hitWork: true });
      chronicle.note(ticket.page, event);
    }
    return judge({ tickets: [ticket], chronicle });
  } finally {
    await site.close();
  }
}

const kindsOf = async (scene: Scene): Promise<string[]> => (await verdictOf(scene)).problems.map(({ kind }) => kind);

test('a ticket that is shown as failed before any command has begun is lost, also when somebody asks again', async () => {
  const failed: TicketEvent = { kind: 'labelled', lifecycle: 'failed' };
  expect(await kindsOf({ events: [ASKED, failed, ...PLAIN] })).toEqual(['lost']);
  const ended = { ...ENDED, code: 1 };
  expect(
    await kindsOf({ events: [ASKED, STARTED, ended, failed, ...PLAIN.with(1, AGAIN).with(3, ENDED_AGAIN)] }),
  ).toEqual([]);
});

test('a ticket that was asked for, worked on and shown as done is fine', async () => {
  expect(await verdictOf({ events: PLAIN })).toMatchObject({ problems: [], ended: 1, gone: 0, repeated: 0 });
});

test('a wish without an end of a command is lost, and so is an end that the ticket does not show', async () => {
  expect(await kindsOf({ events: [ASKED], labels: ['agent-smith'] })).toEqual(['lost']);
  expect(await kindsOf({ events: PLAIN, labels: ['agent-smith', 'agent-smith:in-progress'] })).toEqual(['lost']);
  expect(await kindsOf({ events: PLAIN, labels: ['agent-smith', 'agent-smith:done', 'agent-smith:pending'] })).toEqual([
    'lost',
  ]);
  expect(await kindsOf({ events: [...PLAIN, ASKED] })).toEqual(['lost']);
});

test('done that no command has earned is seen', async () => {
  expect(await kindsOf({ events: [ASKED, DONE, STARTED, ENDED] })).toEqual(['lost']);
});

test('two commands at once are seen, one beside a frozen one is counted', async () => {
  const overlap: TicketEvent = { kind: 'overlap', life: 'r/2', other: 'r/1' };
  expect(await kindsOf({ events: [ASKED, STARTED, overlap, ENDED, DONE] })).toEqual(['overlapping']);
  const beside: TicketEvent = { kind: 'beside-frozen', life: 'r/2', other: 'r/1' };
  expect(await verdictOf({ events: [ASKED, STARTED, beside, ENDED, DONE] })).toMatchObject({
    problems: [],
    besideFrozen: 1,
  });
});

test('a command that begins on a ticket that shows its end is one too many, unless somebody has asked again', async () => {
  expect(await kindsOf({ events: [...PLAIN, AGAIN] })).toEqual(['finished-twice']);
  expect(await kindsOf({ events: [...PLAIN, ASKED, AGAIN, ENDED_AGAIN, DONE] })).toEqual([]);
});

/** In the way of the first end: after it, before the second command begins. */
const KILLED: SceneFault = { kind: 'kill', target: 'replica-1', after: 3 };

test.each<[string, SceneFault | undefined, boolean]>([
  ['nothing was in its way', undefined, false],
  ['its replica was killed', KILLED, true],
  ['all replicas were killed', { ...KILLED, target: 'all replicas' }, true],
  ['another replica was killed', { ...KILLED, target: 'replica-2' }, false],
  ['its replica was killed once the second command was at work', { ...KILLED, after: 4 }, false],
  ['its replica had no way to Redis', { ...KILLED, kind: 'redis', target: 'replica-3, replica-1' }, true],
  ['Redis was hurt', { ...KILLED, kind: 'redis', target: 'Redis' }, true],
  ['the machine stood still', { ...KILLED, kind: 'machine', target: 'all' }, true],
  ['its tracker failed', { ...KILLED, kind: 'api', target: 'GitHub' }, false],
])('a second end is one too many unless the first could not be written down: %s', async (_, fault, isExcused) => {
  const events = [ASKED, STARTED, ENDED, AGAIN, ENDED_AGAIN, DONE];
  const verdict = await verdictOf({ events, ...(fault && { fault }) });
  expect(verdict.problems.map(({ kind }) => kind)).toEqual(isExcused ? [] : ['finished-twice']);
  expect(verdict.repeated).toBe(isExcused ? 1 : 0);
});

test('failed that contradicts how the command has ended is seen, and a wish that was said again is counted', async () => {
  const again: TicketEvent = { kind: 'asked', must: true, again: true };
  const events: TicketEvent[] = [ASKED, STARTED, ENDED, { kind: 'labelled', lifecycle: 'failed' }];
  const verdict = await verdictOf({ events: [...events, again, AGAIN, ENDED_AGAIN, DONE] });
  expect(verdict).toMatchObject({ problems: [{ kind: 'lost' }], saidAgain: 1 });
  expect(await kindsOf({ events: [...events, again, AGAIN, ENDED_AGAIN, DONE], fault: KILLED })).toEqual([]);
});

test("a label of people's that is gone, and one that has come back, are seen", async () => {
  expect(await kindsOf({ events: PLAIN, wanted: ['agent-smith', 'bug'] })).toEqual(['label']);
  expect(await kindsOf({ events: PLAIN, wanted: [] })).toEqual(['label']);
});

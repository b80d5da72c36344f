/** What a chaos run says in the end, and what a campaign adds up. */
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { addToCampaign, lineOf, readCampaign } from './campaign.ts';
import { describeCampaign } from './record.ts';
import { describeResult, isGood } from './report.ts';
import type { ChaosResult } from './run.ts';
import { type ChaosSettings, SHORT_FORM } from './settings.ts';
import type { Problem, Verdict } from './verdict.ts';

const SETTINGS: ChaosSettings = { ...SHORT_FORM, report: () => undefined };
const LOST: Problem = { kind: 'lost', page: 'http://tracker/1', text: 'shows nothing' };
const LABEL: Problem = { kind: 'label', page: 'http://tracker/2', text: 'lost the label bug' };

const resultOf = (verdict: Partial<Verdict> = {}, crashes: readonly string[] = []): ChaosResult => ({
  verdict: {
    tickets: 100,
    faults: 10,
    hitWork: 3,
    machine: 0,
    ended: 110,
    gone: 5,
    repeated: 1,
    saidAgain: 2,
    besideFrozen: 0,
    labelEdits: 40,
    problems: [],
    ...verdict,
  },
  faults: [
    { kind: 'kill', name: 'SIGKILL', target: 'replica-1', hitWork: true, fromSeq: 1, fromMs: 1 },
    { kind: 'machine', name: 'stands still', target: 'all', hitWork: false, fromSeq: 2, fromMs: 2 },
  ],
  wallMs: 45_000,
  crashes,
  dir: undefined,
});

test('the last line counts what was broken, the line before says how to see it again', () => {
  const said = describeResult(resultOf({ problems: [LOST, LABEL] }), SETTINGS);
  expect(said.at(-1)).toBe(
    'chaos: 100 tickets, 10 faults, 1 lost, 0 overlapping, 0 finished twice, 39 human labels kept',
  );
  expect(said.at(-2)).toMatch(/^again: npm run chaos -- --tickets 100 .*--seed 1 /);
});

test.each([
  ['all went well', resultOf(), true],
  ['a promise was broken', resultOf({ problems: [LOST] }), false],
  ['a replica ended by itself', resultOf({}, ['replica-1 ended by itself']), false],
  ['too few faults hit work under way', resultOf({ hitWork: 2 }), false],
])('%s: a good run is %o', (_, result, good) => {
  expect(isGood(result)).toBe(good);
});

test('a campaign goes on from its file, and adds up what is in it', async () => {
  const dir = await mkdtemp(path.join(os.tmpdir(), 'agent-smith-campaign-'));
  onTestFinished(() => rm(dir, { recursive: true }));
  const file = path.join(dir, 'campaign.jsonl');
  expect(await readCampaign(file)).toEqual([]);
  const lines = [
    lineOf(resultOf(), SETTINGS, 'abc'),
    lineOf(resultOf({ problems: [LOST] }), { ...SETTINGS, seed: 2 }, 'abc'),
  ];
  for (const line of lines) await addToCampaign(file, line);
  expect(await readCampaign(file)).toEqual(lines);
  const said = describeCampaign(await readCampaign(file));
  expect(said).toContain('| runs | 2, seeds 1 to 2 |');
  expect(said).toContain('| ticket lifecycles (commands that ended by themselves) | 220 |');
  expect(said).toContain('| **lost** | 1 |');
  expect(said).toContain('| wishes that had to be said again | 4 |');
  // The machine's own moments are no faults of ours.
  expect(said).toContain('| kill: SIGKILL | 2 |');
  expect(said.some((line) => line.includes('stands still'))).toBe(false);
});

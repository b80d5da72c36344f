/** A second deployment on one source (PROTOCOL 10): what counts against it, when adoption stops, and when it goes on. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Project } from '../../src/domain/project.ts';
import type { Run } from '../../src/domain/run.ts';
import { sourceKey, ticketKey } from '../../src/domain/ticket.ts';
import { createFindings } from '../../src/foundation/findings.ts';
import {
  afterChange,
  createForeignLabels,
  type Evidence,
  isStopped,
  NO_EVIDENCE,
} from '../../src/repair/foreign-labels.ts';
import { runIn } from '../domain/runs.ts';
import { movableClock } from '../support/movable-clock.ts';

const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;

function projectOf(name: string): Project {
  return {
    name,
    source: { platform: 'github', host: 'github.com', container: `org/${name}`, apiUrl: '' },
    code: { type: 'GitHub', url: '' },
    routing: { pipelineFromLabel: new Map() },
    triggers: new Set(['poll']),
  };
}

function open() {
  const time = movableClock();
  const findings = createFindings(time.clock);
  const projects = [projectOf('api'), projectOf('web')];
  const [api, web] = projects.map(({ source }) => sourceKey(source));
  let incarnation = 'first';
  const foreign = createForeignLabels(
    {
      catalog: () => ({ hash: '', projects, pipelines: new Map() }),
      incarnation: () => incarnation,
      findings,
      clock: time.clock,
    },
    { foreignLabelsMs: HOUR_MS },
  );
  const seen = (project: string, times = 1): void => {
    const source = projectOf(project).source;
    const run: Run = { ...runIn('running', 'confirmed'), project, ticket: ticketKey(source, '1') };
    for (let i = 0; i < times; i += 1) foreign.seen(run);
  };
  return {
    time,
    seen,
    loseData: () => {
      incarnation = 'second';
    },
    told: () => findings.all().map(({ code }) => code),
    text: () => findings.all()[0]?.text,
    adoptsApi: () => foreign.mayAdopt(api ?? ''),
    adoptsWeb: () => foreign.mayAdopt(web ?? ''),
  };
}

test('three contradicted labels on one source within an hour stop adoption there, and there alone; people are told', () => {
  const house = open();
  house.seen('api', 2);
  expect([house.adoptsApi(), house.told()]).toEqual([true, []]);
  house.seen('web');
  expect(house.adoptsApi()).toBe(true);
  house.seen('api');
  expect([house.adoptsApi(), house.adoptsWeb(), house.told()]).toEqual([false, true, ['second-deployment']]);
  expect(house.text()).toContain('project api');
});

test('three in more than an hour are none', () => {
  const house = open();
  for (let i = 0; i < 20; i += 1) {
    house.seen('api');
    house.time.pass(31 * MINUTE_MS);
  }
  expect([house.adoptsApi(), house.told()]).toEqual([true, []]);
});

test('it ends when an hour has passed without another, and each one more begins the hour anew', () => {
  const house = open();
  house.seen('api', 3);
  house.time.pass(50 * MINUTE_MS);
  house.seen('api');
  house.time.pass(59 * MINUTE_MS);
  expect([house.adoptsApi(), house.told()]).toEqual([false, ['second-deployment']]);
  house.time.pass(MINUTE_MS);
  expect([house.adoptsApi(), house.told()]).toEqual([true, []]);
  // Two more are not three.
  house.seen('api', 2);
  expect(house.adoptsApi()).toBe(true);
});

test('after a loss of data nothing is held against anybody: there is no record left that a label could contradict', () => {
  const house = open();
  house.seen('api', 3);
  house.loseData();
  expect([house.adoptsApi(), house.told()]).toEqual([true, []]);
});

test('a run of a project that is not known counts for nobody', () => {
  const house = open();
  house.seen('unknown', 5);
  expect([house.adoptsApi(), house.adoptsWeb(), house.told()]).toEqual([true, true, []]);
});

test('whenever they come: stopped from the third within an hour until an hour after the last', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(90), { maxLength: 30 }), (gaps) => {
      const time = movableClock();
      let evidence: Evidence = NO_EVIDENCE;
      let expected = false;
      const times: number[] = [];
      let nowMin = 0;
      for (const gap of gaps) {
        time.pass(gap * MINUTE_MS);
        nowMin += gap;
        if (nowMin - (times.at(-1) ?? Number.NEGATIVE_INFINITY) >= 60) expected = false;
        expect(isStopped(evidence, time.clock(), HOUR_MS)).toBe(expected);
        evidence = afterChange(evidence, time.clock(), HOUR_MS);
        times.push(nowMin);
        expected ||= times.filter((at) => nowMin - at < 60).length >= 3;
        expect(isStopped(evidence, time.clock(), HOUR_MS)).toBe(expected);
      }
    }),
  );
});

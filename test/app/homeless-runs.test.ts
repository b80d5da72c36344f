/** Runs whose claim died and whose project is gone: told while it lasts. */
import { expect, test } from 'vitest';
import { createHomelessRuns } from '../../src/app/homeless-runs.ts';
import type { Run } from '../../src/domain/run.ts';
import { createFindings } from '../../src/foundation/findings.ts';
import type { Decision } from '../../src/runs/decision-log.ts';

const runOf = (id: string, project: string): Run => ({
  id,
  project,
  ticket: `github~host~org/${project}~${id}`,
  platform: 'github',
  ticketId: id,
  display: `org/${project}#${id}`,
  url: '',
  fence: 1,
  trigger: 'poll',
  state: 'received',
  turn: 0,
  attempt: 0,
  attemptFence: 0,
  interrupted: 0,
  takes: 0,
  labelState: 'unconfirmed',
  labelDoubts: 0,
  createdAtMs: 0,
  sinceMs: 0,
});

test('a finding per project, and a decision per run, until the runs have a home again', async () => {
  const findings = createFindings();
  const decided: Decision[] = [];
  const homeless = createHomelessRuns(findings, async (decision) => void decided.push(decision));
  const projects = (): string[] => findings.all().map(({ code, text }) => `${code} ${text.split(':')[0]}`);

  await homeless.tell([runOf('1', 'api'), runOf('2', 'api'), runOf('3', 'web')]);
  expect(projects()).toEqual(['run-without-project Project api', 'run-without-project Project web']);
  expect(decided.map(({ by, run }) => [by, run])).toEqual([
    ['repair', '1'],
    ['repair', '2'],
    ['repair', '3'],
  ]);

  await homeless.tell([runOf('3', 'web')]);
  expect(projects()).toEqual(['run-without-project Project web']);
  homeless.forget();
  expect(projects()).toEqual([]);
});

import { expect, test } from 'vitest';
import { createStuckJobs } from '../../src/app/stuck-jobs.ts';
import { createFindings } from '../../src/foundation/findings.ts';

test('Jobs that may not be deleted are named, and so are namespaces that may not be looked into, while it lasts', () => {
  const findings = createFindings();
  const stuck = createStuckJobs(findings);
  const texts = (): Record<string, string> => Object.fromEntries(findings.all().map(({ code, text }) => [code, text]));

  stuck.tellJobs(['agents/agentsmith-1']);
  stuck.tellNamespaces(['agents', 'scans']);
  expect(texts()).toEqual({
    'job-not-ended': expect.stringContaining('agents/agentsmith-1. Delete them with kubectl'),
    'jobs-not-listed': expect.stringContaining('may not list Jobs in agents, scans'),
  });
  stuck.tellNamespaces([]);
  stuck.tellJobs(['1', '2', '3', '4', '5', '6', '7'].map((name) => `agents/${name}`));
  expect(texts()).toEqual({ 'job-not-ended': expect.stringContaining('agents/5 and 2 more.') });
  stuck.forget();
  expect(findings.all()).toEqual([]);
});

/**
 * Tells of Jobs that go on for runs that are over, because this server may not delete them, or may not even look for them:
 * the next run of their tickets has to wait, and only people can change that.
 */
import type { Findings } from '../foundation/findings.ts';

const NOT_ENDED = 'job-not-ended';
const NOT_LISTED = 'jobs-not-listed';
const MOST_NAMED = 5;

export interface StuckJobs {
  /** All Jobs, as `namespace/name`, that should end and may not be deleted. */
  tellJobs(names: readonly string[]): void;
  /** All namespaces where Jobs may not be listed. */
  tellNamespaces(names: readonly string[]): void;
  forget(): void;
}

export function createStuckJobs(findings: Findings): StuckJobs {
  const stuckJobs: StuckJobs = {
    tellJobs(names) {
      if (names.length === 0) return findings.clear(NOT_ENDED);
      const text = `The runs of these Jobs are over, and this server may not delete them: ${listed(names)}. Delete them with kubectl, and give the server the right to; the next runs of their tickets wait for that.`;
      findings.raise({ code: NOT_ENDED, severity: 'warning', text });
    },
    tellNamespaces(names) {
      if (names.length === 0) return findings.clear(NOT_LISTED);
      const text = `This server may not list Jobs in ${listed(names)}: what goes on there for runs that are over is not ended, and runs that may have a Job there wait. Give it the right to.`;
      findings.raise({ code: NOT_LISTED, severity: 'warning', text });
    },
    forget() {
      stuckJobs.tellJobs([]);
      stuckJobs.tellNamespaces([]);
    },
  };
  return stuckJobs;
}

function listed(names: readonly string[]): string {
  const more = names.length - MOST_NAMED;
  const some = names.slice(0, MOST_NAMED).join(', ');
  return more > 0 ? `${some} and ${more} more` : some;
}

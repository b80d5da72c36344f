/** Guards of runs in Kubernetes Jobs: one at a time, and nothing done to a Job by whoever does not have it any more. */
import type { Guard } from '../guard.ts';

const KUBERNETES = 'worker/runners/kubernetes';

export const JOB_GUARDS: readonly Guard[] = [
  {
    name: 'jobs:bound-delete',
    keeps: 'a Job is deleted only as it was seen, so never after a later attempt has adopted it',
    swap: {
      file: `${KUBERNETES}/client-cluster.ts`,
      find: 'preconditions: { uid, resourceVersion }',
      put: 'preconditions: { uid }',
    },
    killedBy: [`${KUBERNETES}/adoption`],
  },
  {
    name: 'jobs:bound-patch',
    keeps: 'the fence in a Job only grows',
    swap: {
      file: `${KUBERNETES}/client-cluster.ts`,
      find: 'metadata: { resourceVersion, annotations }',
      put: 'metadata: { annotations }',
    },
    killedBy: [`${KUBERNETES}/adoption`],
  },
  {
    name: 'jobs:later-fence',
    keeps: 'a Job that a later attempt has in hand is left alone',
    swap: {
      file: `${KUBERNETES}/next-step.ts`,
      find: 'job.run !== undefined && job.fence > fence',
      put: 'false',
    },
    killedBy: [`${KUBERNETES}/next-step`, `${KUBERNETES}/adoption`],
  },
  {
    name: 'jobs:trusted',
    keeps: 'without trust nothing is changed in the cluster',
    swap: {
      file: `${KUBERNETES}/job-hands.ts`,
      find: 'trust.leftMs() <= options.clusterCallMs',
      put: 'trust.leftMs() < 0',
    },
    killedBy: [`${KUBERNETES}/adoption`],
  },
  {
    name: 'jobs:suspended',
    keeps: 'no pod starts before its Job was released by an attempt that is trusted',
    swap: { file: `${KUBERNETES}/job-manifest.ts`, find: 'suspend: true,', put: 'suspend: false,' },
    killedBy: [`${KUBERNETES}/adoption`, `${KUBERNETES}/job-manifest`],
  },
  {
    name: 'jobs:maybe-at-work',
    keeps: 'a right that is missing for a moment fails no run whose Job may be at work',
    swap: {
      file: `${KUBERNETES}/job-attempt.ts`,
      find: 'held === undefined && !request.adopts',
      put: 'held === undefined',
    },
    killedBy: [`${KUBERNETES}/kubernetes-runner`],
  },
  {
    name: 'jobs:unseen-end',
    keeps: 'a Job whose end nobody could see has not failed by that',
    swap: {
      file: `${KUBERNETES}/kubernetes-runner.ts`,
      find: 'return end.deleting ? timedOut(end)',
      put: 'return true ? timedOut(end)',
    },
    killedBy: [`${KUBERNETES}/kubernetes-runner`],
  },
  {
    name: 'jobs:only-over',
    keeps: 'what is at work for a run that goes on is left to its end',
    swap: { file: 'repair/leftover-work.ts', find: '!isTerminal(run.state)', put: 'false' },
    killedBy: ['repair/leftover-work'],
  },
];

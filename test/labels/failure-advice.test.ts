/** Every way in which a runner fails has its own advice: the general one helps nobody. */
import { expect, test } from 'vitest';
import { adviceFor } from '../../src/labels/failure-advice.ts';

const GENERAL = adviceFor('nothing that anybody has written');

test.each([
  'The service refused the run: status 401.',
  'The service answered 302: redirects are not followed.',
  'The certificate of the service does not prove its host (CERT_HAS_EXPIRED).',
  'runner.corp may not be asked: 10.1.2.3 is private. See allow_addresses in docs/runners/http.md.',
  'the service says failed: no tests',
  'The Job cannot be created in namespace agents: jobs.batch is forbidden',
  'The Secret of the Job cannot be made in namespace agents: too large',
  'The Job of an earlier run cannot be deleted in namespace agents: forbidden',
  'Jobs cannot be listed in namespace agents: forbidden',
  'No Kubernetes cluster is known here: run the server in a pod with a service account, or name a kubeconfig in KUBECONFIG.',
  'The kubeconfig in KUBECONFIG cannot be used: ENOENT',
  'The name agentsmith-0 is taken in namespace agents by a Job that is not ours: delete that.',
  'The arguments or the environment of make are larger than this system allows.',
  'its Job was deleted while it was at work',
  'its pod was ended by the cluster (Evicted: low on memory)',
  'its container ran out of memory (OOMKilled)',
  'its Job failed (BackoffLimitExceeded: Job has reached the specified backoff limit)',
])('%s', (reason) => {
  expect(adviceFor(reason)).not.toBe(GENERAL);
});

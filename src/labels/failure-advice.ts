/**
 * What a person should do about a run that failed, in a sentence: by the reason on its record, which whoever ended the run
 * has written (worker/attempt.ts, worker/turn-processor.ts, repair/stale-job-detector.ts, the runners).
 */

const ADVICE: readonly (readonly [reason: RegExp, advice: string])[] = [
  [/^exit code 12[67]\b/, 'A program that it calls is missing or may not be executed: see the end of its output.'],
  [/^exit code\b/, 'The pipeline ended by itself and says that it failed: the end of its output says why.'],
  [
    /^killed by SIGKILL\b/,
    'Something outside ended it, most often for want of memory: look at the limits of the worker.',
  ],
  [/^killed by\b/, 'It crashed, or something outside ended it: see the end of its output.'],
  [/^timed out\b/, 'See in its output what it was waiting for, or raise `timeout_seconds` of the pipeline.'],
  [
    /^interrupted \d+ times, last: its time is up\b/,
    'The replicas could not see what became of its Job: `agent-smith doctor` says whether they reach their cluster.',
  ],
  [/^interrupted \d+ times\b/, 'Its workers died or left each time: look at the replicas, not at the pipeline.'],
  [/^taken \d+ times\b/, 'Something ends every worker that takes it: look at the logs of the replicas.'],
  [/^the service says\b/, 'The service that did the work says so: look there.'],
  [
    /^(?:The service|The certificate of the service|\S+ may not be asked)\b/,
    'The service that does the work cannot be used like this: look at `http` of the pipeline and at the service.',
  ],
  [
    /^(?:The (?:Job|Secret of the Job|name|kubeconfig)|Jobs cannot|No Kubernetes cluster)\b/,
    'Kubernetes did not take its Job: `agent-smith doctor` says what is missing.',
  ],
  [/^its container ran out of memory\b/, 'Raise `resources.limits.memory` of the pipeline, or have it use less.'],
  [/^its (?:Job|pod)\b/, 'The cluster or somebody in it ended it: look at the events of its namespace.'],
  [
    /^(?:The (?:program|arguments|env|working folder)|No temporary|the run's policy|the runner)\b/,
    'It could not be started: put that right in the configuration or on the workers.',
  ],
];

export function adviceFor(reason: string): string {
  return ADVICE.find(([pattern]) => pattern.test(reason))?.[1] ?? 'Its record and its output say more.';
}

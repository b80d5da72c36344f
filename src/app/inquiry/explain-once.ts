/** Explains tickets from outside of the replicas: `agent-smith explain`. Opened, asked and closed again. */

import type { AppOptions } from '../options.ts';
import { type Explanation, explain, type Question } from './explain.ts';
import { openInquiry } from './inquiry.ts';

/** Throws when the platform of a project cannot be opened; a platform or a Redis that is away is part of the answer. */
export async function explainOnce(
  options: Pick<AppOptions, 'config' | 'timing' | 'log' | 'redactor'>,
  questions: readonly Question[],
): Promise<Explanation[]> {
  const { config, timing } = options;
  options.redactor.add(config.secrets.all());
  const inquiry = openInquiry({ ...options, config: () => config });
  const { projects, stores, foresight } = inquiry;
  try {
    const asked = new Set(questions.map(({ project }) => project));
    const unopened = projects.update(config).find(({ project }) => asked.has(project));
    if (unopened !== undefined) throw new Error(unopened.problem);
    await inquiry.settle();
    const deps = { catalog: projects.current, foresight, stores };
    const signal = AbortSignal.timeout(timing.claimDeadlineMs);
    return await Promise.all(questions.map((question) => explain(deps, question, signal)));
  } finally {
    await inquiry.close();
  }
}

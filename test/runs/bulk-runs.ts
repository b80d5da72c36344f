/** Queued runs without a platform: what a claim writes, by its scripts alone. */
import type { Catalog, Pipeline, Project } from '../../src/domain/project.ts';
import { type House, plainPipeline } from '../support/house.ts';

/** A project that watches nothing. */
export function projectNamed(name: string, maxParallelJobs?: number): Project {
  return {
    name,
    source: { platform: 'github', host: 'github.test', container: `org/${name}`, apiUrl: 'http://github.test' },
    code: { type: 'GitHub', url: 'http://github.test' },
    routing: { pipelineFromLabel: new Map() },
    triggers: new Set(['poll']),
    ...(maxParallelJobs === undefined ? {} : { maxParallelJobs }),
  };
}

export function pipelineNamed(name: string, maxParallelJobs?: number): Pipeline {
  return { ...plainPipeline(name), ...(maxParallelJobs === undefined ? {} : { maxParallelJobs }) };
}

export interface CommittedRun {
  readonly id: string;
  /** Its job would have been added at once. */
  readonly admitted: boolean;
}

/** Commits a run of a ticket that nobody has claimed before. */
export async function commitRun(
  { claimRecords }: Pick<House, 'claimRecords'>,
  { projects, pipelines }: Pick<Catalog, 'projects' | 'pipelines'>,
  { id, project, pipeline }: { readonly id: string; readonly project: string; readonly pipeline: string },
): Promise<CommittedRun> {
  const ticket = `github~github.test~org%2F${project}~${id}`;
  const question = { ticket, platform: 'github', ticketId: id, project, trigger: 'poll', insist: false } as const;
  const begun = await claimRecords.begin({ ...question, newRun: id, token: id });
  if (!('hold' in begun)) throw new Error(`${id}: ${begun.kind}`);
  const committed = await claimRecords.commit(begun.hold, {
    project,
    pipeline,
    label: undefined,
    policy: '{}',
    display: id,
    url: '',
    labelShown: true,
    projectCap: projects.find(({ name }) => name === project)?.maxParallelJobs,
    pipelineCap: pipelines.get(pipeline)?.maxParallelJobs,
    decision: { ticket, project, by: 'claim', outcome: 'claimed', run: id },
  });
  if (committed === undefined) throw new Error(`${id}: superseded`);
  return { id, admitted: committed.admitted };
}

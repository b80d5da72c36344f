/** Queued runs without a platform: what a claim writes, by its scripts alone. */
import type { Catalog, Pipeline, Project } from '../../src/domain/project.ts';
import { ticketKey } from '../../src/domain/ticket.ts';
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

export interface WantedRun {
  readonly id: string;
  readonly project: string;
  readonly pipeline: string;
  /** Default: one that is nowhere. */
  readonly ticketId?: string;
  readonly policy?: string;
}

/** Commits a run of a ticket that nobody has claimed before. */
export async function commitRun(
  { claimRecords }: Pick<House, 'claimRecords'>,
  { projects, pipelines }: Pick<Catalog, 'projects' | 'pipelines'>,
  { id, project: name, pipeline, ticketId = id, policy = '{}' }: WantedRun,
): Promise<CommittedRun> {
  const project = projects.find((one) => one.name === name);
  if (project === undefined) throw new Error(`no project ${name}`);
  const ticket = ticketKey(project.source, ticketId);
  const question = { ticket, platform: 'github', ticketId, project: name, trigger: 'poll', insist: false } as const;
  const begun = await claimRecords.begin({ ...question, newRun: id, token: id });
  if (!('hold' in begun)) throw new Error(`${id}: ${begun.kind}`);
  const committed = await claimRecords.commit(begun.hold, {
    project: name,
    pipeline,
    label: undefined,
    policy,
    display: id,
    url: '',
    labelShown: true,
    projectCap: project.maxParallelJobs,
    pipelineCap: pipelines.get(pipeline)?.maxParallelJobs,
    decision: { ticket, project: name, by: 'claim', outcome: 'claimed', run: id },
  });
  if (committed === undefined) throw new Error(`${id}: superseded`);
  return { id, admitted: committed.admitted };
}

/** `agent-smith doctor`, as data: what is asked, in which order it is told. Nothing is written unless a ticket is named. */
import type { Config } from '../../config/config.ts';
import type { Environment } from '../../config/expand.ts';
import type { Timing } from '../../domain/timing.ts';
import { messageOf } from '../../foundation/errors.ts';
import type { Log } from '../../foundation/log.ts';
import type { Redactor } from '../../foundation/redactor.ts';
import type { Call } from '../../platforms/contract.ts';
import { openReadStores, type ReadStores } from '../inquiry/read-stores.ts';
import { createKnownProjects, type KnownProjects } from '../known-projects.ts';
import { leadsToUs } from '../missed.ts';
import { checkAccess } from './access.ts';
import { checkBudgets } from './budget.ts';
import type { DoctorCheck } from './check.ts';
import { checkCluster } from './cluster.ts';
import { checkConfig } from './config.ts';
import { checkHooks } from './hooks.ts';
import { checkNetwork } from './network.ts';
import { checkRedis } from './redis.ts';
import { testWriting } from './write-test.ts';

export interface DoctorOptions {
  readonly config: Config;
  readonly env: Environment;
  readonly timing: Timing;
  readonly log: Log;
  readonly redactor: Redactor;
  readonly signal: AbortSignal;
  readonly onProgress: (answered: number, all: number) => void;
  /** The ticket to write to. */
  readonly writeTest?: { readonly project: string; readonly ticketId: string } | undefined;
}

/** Never throws for what is wrong with Redis or a platform: that is what it is there to say. */
export async function examine(options: DoctorOptions): Promise<DoctorCheck[]> {
  const { config, env, timing, log, redactor } = options;
  redactor.add(config.secrets.all());
  const opened = openRedis(config, timing, log);
  const projects = createKnownProjects({
    onRequest: () => {},
    learnSecret: redactor.learn,
    limitsOf: opened.stores?.limitsOf,
  });
  const unopened = projects.update(config).map(({ project, problem }): DoctorCheck => {
    const advice = 'Put the tickets: section of the project right.';
    return { subject: project, check: 'opens', state: 'problem', text: problem, advice };
  });
  const call: Call = { purpose: 'inspect', deadlineMs: timing.listingDeadlineMs, signal: options.signal };
  try {
    // First, since what others know of the API budgets is in there.
    const redis = opened.problem ?? (await checkRedis(opened.stores?.redis, 2 * timing.redisCommandMs));
    const hooks = { missedOf: projects.missedOf, isOurs: leadsToUs(() => config), call };
    const access = await checkAccess({
      projects,
      checkHooks: (group) => checkHooks(group, hooks),
      call,
      onProgress: options.onProgress,
    });
    const written = await writeTest(options, projects, call);
    const cluster = await checkCluster(config, env, { deadlineMs: timing.clusterCallMs, signal: options.signal });
    const budgets = await checkBudgets(projects.credentials());
    return [
      ...checkConfig(config),
      ...redis,
      ...checkNetwork(env),
      ...cluster,
      ...unopened,
      ...access,
      ...written,
      ...budgets,
    ];
  } finally {
    await opened.stores?.redis.close();
  }
}

/** A wrong `REDIS_URL` is a finding like any other. */
function openRedis(
  config: Config,
  timing: Timing,
  log: Log,
): { readonly stores?: ReadStores | undefined; readonly problem?: DoctorCheck[] } {
  try {
    return { stores: openReadStores(() => config, timing, log) };
  } catch (error) {
    const advice = 'Write it as redis://user:password@host:port, rediss:// with TLS, or redis+sentinel://h1,h2/master.';
    const check = { subject: 'redis', check: 'address', state: 'problem', text: messageOf(error), advice } as const;
    return { problem: [check] };
  }
}

async function writeTest(
  { writeTest: asked }: DoctorOptions,
  projects: KnownProjects,
  call: Call,
): Promise<DoctorCheck[]> {
  if (asked === undefined) return [];
  const catalog = projects.current();
  const project = catalog.projects.find(({ name }) => name === asked.project);
  const platform = project && projects.platformOf(project);
  // Why it has none is said already.
  if (project === undefined || platform === undefined) return [];
  // Whoever interrupts it must not leave the label behind: it takes as long as it takes.
  const undisturbed: Call = { ...call, purpose: 'label', signal: new AbortController().signal };
  return [await testWriting({ catalog, project, platform, call: undisturbed }, asked.ticketId)];
}

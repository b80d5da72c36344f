/**
 * A replica that only looks: it polls at each project's interval and says in its log what it would claim. No label, no
 * comment, no record, no job, no lease; so it may run beside real replicas, on their Redis or on none.
 *
 * It is never ready: it does no replica's share, and a load balancer that sent it a webhook would lose it.
 */
import type { App } from '../../app.ts';
import { describeOutcome } from '../../claims/claim-outcome.ts';
import { explainOutcome } from '../../claims/explain-gates.ts';
import type { Config } from '../../config/config.ts';
import type { PollSummary } from '../../coordination/poll-board.ts';
import type { Polling, Project } from '../../domain/project.ts';
import { messageOf } from '../../foundation/errors.ts';
import { createFindings } from '../../foundation/findings.ts';
import { every } from '../../foundation/loop.ts';
import { createPollPacer } from '../../ingress/polls/poll-pacer.ts';
import { createProjectPlanner, type PlannedTicket, type ProjectPlan } from '../../ingress/polls/project-plan.ts';
import { createHealthCollector } from '../../server/collect-health.ts';
import type { HealthFacts, Subsystem } from '../../server/health.ts';
import { createMetrics } from '../../server/metrics.ts';
import { createServer } from '../../server/server.ts';
import type { AppOptions } from '../options.ts';
import { openInquiry } from './inquiry.ts';
import { createPlanSlots } from './plan-slots.ts';

/** Candidates read in one cycle; those whose answer cannot change are not read again, so all of them get their turn. */
const MOST_JUDGED = 20;

export function createDryRun(options: AppOptions): App {
  const { log, timing } = options;
  const findings = createFindings();
  const polls = new Map<string, PollSummary>();
  const collect = createHealthCollector();
  const stopped = new AbortController();
  let config = options.config;
  let loadedAtMs = Date.now();
  let reloading = new AbortController();
  let loops: Promise<unknown> = Promise.resolve();

  const health = (): HealthFacts => {
    const facts = collect({
      redis: inquiry.stores?.redis.status() ?? 'unset',
      consumerRunning: false,
      leaders: [],
      recoveringMs: 0,
      projects: config.catalog.projects,
      polls,
      missed: new Map(),
      backlogs: undefined,
      webhookListener: 'up',
      credentials: inquiry.projects.credentials(),
      findings: [...config.findings, ...findings.all(), DRY_RUN],
    });
    return {
      ...facts,
      subsystems: facts.subsystems.map(withoutShare),
      instance: options.instance,
      version: options.version,
      draining: stopped.signal.aborted,
      config: {
        state: findings.all().some(({ code }) => code === 'config-bad-reload') ? 'last-good' : 'ok',
        hash: config.catalog.hash,
        loadedAtMs,
      },
      activeRuns: 0,
    };
  };

  const metrics = createMetrics(async () => ({
    runs: {},
    queueDepth: undefined,
    inboxDepth: undefined,
    activeRuns: 0,
    slots: 0,
    unconfirmedLabels: undefined,
    findings: {},
    budgets: health().budgets,
    pollIntervals: Object.fromEntries([...polls].map(([name, poll]) => [name, poll.effectiveIntervalMs / 1000])),
    lastPolls: [...polls].map(([project, { result, atMs }]) => ({ project, result, atMs })),
    backlogs: [],
    leaderEpoch: {},
    ready: false,
  }));
  const inquiry = openInquiry({
    ...options,
    config: () => config,
    onRequest: (platform, { purpose, status, kind, durationMs }) => {
      metrics.platformRequest({ platform, purpose, status: String(status ?? kind ?? 'none'), durationMs });
    },
  });
  const server = createServer({ health, metrics, log });
  const settled = inquiry.settle();
  const inSlot = createPlanSlots();

  const say = (project: Project, told: Map<string, string>, tickets: readonly PlannedTicket[]): void => {
    for (const { key, display, foreseen } of tickets) {
      const { outcome } = foreseen;
      const answer = describeOutcome(outcome);
      if (told.get(key) === answer) continue;
      told.set(key, answer);
      const platform = project.source.platform;
      metrics.claim({ platform, outcome: outcome.kind, trigger: 'poll' });
      const facts = { ticket: key, display, project: project.name, platform, outcome: answer };
      if (outcome.kind === 'would-claim')
        log.info({ ...facts, project: outcome.project, pipeline: outcome.pipeline }, 'would claim');
      else log.info({ ...facts, why: explainOutcome(outcome) }, 'would not claim');
    }
    // What is not a candidate any more may become one again, and is news then.
    const current = new Set(tickets.map(({ key }) => key));
    for (const key of told.keys()) if (!current.has(key)) told.delete(key);
  };

  const pollProject = async (project: Project, polling: Polling, signal: AbortSignal): Promise<void> => {
    const { projects, foresight } = inquiry;
    const platform = projects.platformOf(project);
    if (platform === undefined) return;
    const planner = createProjectPlanner(project, { platform, foresight }, { ...timing, mostJudged: MOST_JUDGED });
    const told = new Map<string, string>();
    // What Redis knows is asked from the first cycle on; one that is away is part of the answer.
    await settled;
    const pacer = createPollPacer({
      polling: () => polling,
      backoffMaxMs: timing.pollBackoffMaxMs,
      window: () => projects.budgetOf(project)?.window,
    });
    await every(
      {
        intervalMs: pacer.pauseMs,
        signal,
        onError: (error) => log.error({ project: project.name, error: messageOf(error) }, 'poll loop failed'),
      },
      async () => {
        const plan = await inSlot(projects.credentialOf(project), () => planner.cycle(signal));
        if (signal.aborted) return;
        // Nothing is claimed, so a backlog does not hurry it.
        pacer.note({ ...plan, claimed: 0 });
        const summary = summaryOf(plan, options.instance, pacer.effectiveIntervalMs());
        polls.set(project.name, summary);
        metrics.poll({ platform: plan.platform, result: plan.result, durationMs: plan.durationMs });
        const facts = { project: project.name, problem: plan.problem };
        if (plan.heldBack) log.debug(facts, 'poll held back');
        else if (plan.problem !== undefined) log.warn({ ...facts, failures: pacer.failures() }, 'poll failed');
        say(project, told, plan.tickets);
      },
    );
  };

  const pollAll = (): void => {
    const signal = AbortSignal.any([stopped.signal, reloading.signal]);
    const polled = config.catalog.projects.flatMap((project) =>
      project.polling === undefined || project.disabled !== undefined
        ? []
        : [pollProject(project, project.polling, signal)],
    );
    loops = Promise.all([loops, ...polled]);
  };

  const open = (next: Config): void => {
    config = next;
    loadedAtMs = Date.now();
    options.redactor.add(next.secrets.all());
    polls.clear();
    for (const { project, problem } of inquiry.projects.update(next)) {
      log.error({ project, problem }, 'platform not opened');
    }
  };
  open(config);

  return {
    findings,
    health,
    reload(next) {
      reloading.abort();
      reloading = new AbortController();
      open(next);
      pollAll();
    },
    async start() {
      const port = await server.listen({ host: options.host, port: options.port });
      log.info(
        { port, projects: config.catalog.projects.length, instance: options.instance },
        'dry run: nothing is written',
      );
      if (inquiry.stores === undefined) log.warn('REDIS_URL is not set: runs and locks are not looked at');
      pollAll();
      return port;
    },
    async stop() {
      stopped.abort();
      await loops;
      await server.close();
      await inquiry.close();
      log.info('stopped');
    },
  };
}

const DRY_RUN = {
  code: 'dry-run',
  severity: 'info',
  text: 'This replica only looks: it claims nothing and runs nothing, and is never ready.',
} as const;

/** What a replica does for the others is off here; what is missing for looking is shown as it is. */
function withoutShare(subsystem: Subsystem): Subsystem {
  if (subsystem.name === 'redis') return subsystem;
  if (subsystem.name === 'poller' && subsystem.wanted) {
    return { ...subsystem, state: 'up', reason: 'dry run: lists and judges, claims nothing' };
  }
  return { ...subsystem, state: 'disabled', reason: 'dry run' };
}

function summaryOf(plan: ProjectPlan, by: string, effectiveMs: number): PollSummary {
  const skipped: Record<string, number> = {};
  for (const { foreseen } of plan.tickets) {
    const reason = describeOutcome(foreseen.outcome);
    skipped[reason] = (skipped[reason] ?? 0) + 1;
  }
  return {
    project: plan.project,
    by,
    atMs: Date.now(),
    durationMs: plan.durationMs,
    result: plan.result,
    heldBack: plan.heldBack,
    retryAfterMs: plan.retryAfterMs,
    discovered: plan.discovered,
    pending: plan.pending,
    claimed: 0,
    skipped,
    truncated: plan.truncated,
    requests: plan.listingRequests,
    effectiveIntervalMs: effectiveMs,
    // Whatever is configured, it only lists.
    engine: 'polling',
    recovered: 0,
  };
}

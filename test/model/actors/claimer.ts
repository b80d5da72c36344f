/** A claimer: one claim at a time, step by step as `ticket-claim-service.ts` makes them, with every way to break off. */
import { judge, lifecycleWithoutClaim } from '../../../src/domain/eligibility.ts';
import { hasLabel, type Lifecycle, lifecycleLabel, lifecyclesOf } from '../../../src/domain/lifecycle.ts';
import type { Trigger } from '../../../src/domain/project.ts';
import { isTerminal, type Run } from '../../../src/domain/run.ts';
import { unreachable } from '../../../src/foundation/errors.ts';
import type { ClaimHold } from '../../../src/runs/claim-records.ts';
import * as protocol from '../claim-model.ts';
import { keyOf, PAPER_PROJECT } from '../paper-platform.ts';
import type { Step } from '../steps.ts';
import type { World } from '../world.ts';

export interface Claimer {
  claim: Claim | undefined;
}

interface Claim {
  readonly ticket: string;
  readonly hold: ClaimHold;
  /** An `enqueued` on the ticket is nobody else's. */
  readonly resumed: boolean;
  readonly previous: Run | undefined;
  /** What is to be done next, from what the ticket showed. */
  plan: Plan | undefined;
  /** The lock is over by the claimer's own clock: it writes to the platform no more. */
  lapsed: boolean;
}

type Plan =
  | { readonly kind: 'label' }
  | { readonly kind: 'commit'; readonly shown: boolean }
  /** Not eligible; `back`: what the ticket gets instead of the `enqueued` of a dead claim. */
  | { readonly kind: 'withdraw'; readonly back?: { readonly to: Lifecycle | undefined } };

type ClaimerStep = Extract<Step, { by: 'claimer' }>;

/** False when there is no such step now. */
export async function claimerActs(world: World, step: ClaimerStep): Promise<boolean> {
  const claimer = world.claimers[step.who];
  if (claimer === undefined) return false;
  const { claim } = claimer;
  if (step.act === 'look') return await lookAt(world, step);
  if (step.act === 'whole') {
    if (claim === undefined && !(await begins(world, claimer, step))) return false;
    while (claimer.claim !== undefined) await goesOn(world, claimer, claimer.claim);
    return true;
  }
  if (claim === undefined) return step.act === 'next' && (await begins(world, claimer, step));
  switch (step.act) {
    case 'next':
      return await goesOn(world, claimer, claim);
    case 'fail':
      return await abandons(world, claimer, claim, { keep: claim.resumed, backOff: false });
    case 'refused':
      return await abandons(world, claimer, claim, { keep: claim.resumed, backOff: true });
    case 'half': {
      if (claim.lapsed || claim.plan?.kind !== 'label') return false;
      world.platform.paint(claim.ticket, [...lifecyclesOf(world.platform.labelsOf(claim.ticket)), 'enqueued']);
      return await abandons(world, claimer, claim, { keep: true, backOff: false });
    }
    case 'give-back':
      return await releases(world, claimer, claim);
    case 'die':
      claimer.claim = undefined;
      return true;
    default:
      return unreachable(step.act);
  }
}

const question = (ticket: string, trigger: Trigger) => ({
  ticket: keyOf(ticket),
  platform: 'github',
  ticketId: ticket,
  project: PAPER_PROJECT.name,
  trigger,
  insist: trigger === 'manual',
});

async function lookAt(world: World, { who, ticket, trigger }: ClaimerStep): Promise<boolean> {
  const ask = { ticket, newRun: '', token: '', insist: trigger === 'manual' };
  await world.act(
    `claimer ${who} looks at ticket ${ticket} (${trigger})`,
    async () => {
      const reply = await world.claimRecords.look(question(ticket, trigger));
      return reply.kind === 'already-claimed' ? `already ${reply.state}` : words(reply.kind);
    },
    () => protocol.look(world.model, ask),
  );
  return true;
}

async function begins(world: World, claimer: Claimer, { who, ticket, trigger }: ClaimerStep): Promise<boolean> {
  // Repair, and with it adoption, is at work outside the recovery only.
  if (trigger === 'reconcile' && world.model.recovery !== 3) return false;
  const newRun = `r${world.runIds.length + 1}`;
  const token = `lock-${world.trace.length}`;
  world.runIds.push(newRun);
  await world.act(
    `claimer ${who} begins on ticket ${ticket} (${trigger})`,
    async () => {
      const reply = await world.claimRecords.begin({ ...question(ticket, trigger), newRun, token });
      if (reply.kind === 'already-claimed') return `already ${reply.state}`;
      if (!('hold' in reply)) return words(reply.kind);
      const { previous } = reply;
      claimer.claim = {
        ticket,
        hold: reply.hold,
        resumed: reply.kind === 'taken-over' || (trigger === 'reconcile' && previous === undefined),
        previous: previous !== undefined && isTerminal(previous.state) ? previous : undefined,
        plan: undefined,
        lapsed: false,
      };
      return `${words(reply.kind)} ${reply.hold.run} before ${previous?.id ?? 'none'}`;
    },
    (told) => protocol.begin(world.model, { ticket, newRun, token, insist: trigger === 'manual' }, told),
  );
  return true;
}

async function goesOn(world: World, claimer: Claimer, claim: Claim): Promise<boolean> {
  const { plan, ticket } = claim;
  if (plan === undefined) {
    claim.plan = judges(world, claim);
    world.trace.push(`claimer of ${claim.hold.run} reads ticket ${ticket} -> ${claim.plan.kind}`);
    return true;
  }
  switch (plan.kind) {
    case 'label':
      if (claim.lapsed) return await releases(world, claimer, claim);
      world.platform.paint(ticket, ['enqueued']);
      world.trace.push(`claimer of ${claim.hold.run} labels ticket ${ticket}`);
      claim.plan = { kind: 'commit', shown: true };
      return true;
    case 'commit':
      return await commits(world, claimer, claim, plan.shown);
    case 'withdraw':
      if (plan.back !== undefined) {
        if (claim.lapsed) return await releases(world, claimer, claim);
        world.platform.paint(ticket, plan.back.to === undefined ? [] : [plan.back.to]);
      }
      return await abandons(world, claimer, claim, { keep: false, backOff: false });
    default:
      return unreachable(plan);
  }
}

function judges(world: World, { ticket, previous, resumed }: Claim): Plan {
  const fresh = world.platform.ticketOf(ticket);
  const projects = [PAPER_PROJECT];
  const verdict = judge({ ticket: fresh, projects, previous, mode: resumed ? 'resumed' : 'fresh' });
  if (!verdict.eligible) {
    if (!resumed || !hasLabel(fresh.labels, lifecycleLabel('enqueued'))) return { kind: 'withdraw' };
    return { kind: 'withdraw', back: { to: lifecycleWithoutClaim(fresh.labels, projects, { previous }) } };
  }
  if (verdict.lifecycle !== 'enqueued') return { kind: 'label' };
  return { kind: 'commit', shown: String(lifecyclesOf(fresh.labels)) === 'enqueued' };
}

async function commits(world: World, claimer: Claimer, claim: Claim, labelShown: boolean): Promise<boolean> {
  const facts = {
    pipeline: 'fix-bug',
    label: undefined,
    project: PAPER_PROJECT.name,
    policy: '{}',
    display: '',
    url: '',
    projectCap: PAPER_PROJECT.maxParallelJobs,
  };
  const decision = {
    ticket: claim.hold.ticket,
    project: PAPER_PROJECT.name,
    by: 'claim',
    outcome: 'claimed',
    run: claim.hold.run,
  };
  claimer.claim = undefined;
  await world.act(
    `claimer of ${claim.hold.run} commits`,
    async () => {
      const committed = await world.claimRecords.commit(claim.hold, { ...facts, labelShown, decision });
      if (committed === undefined) return 'superseded';
      const wish = committed.cancelRequested === undefined ? '' : ', cancel';
      return `committed, ${committed.admitted ? 'admitted' : 'waiting'}${wish}`;
    },
    (told) => protocol.commit(world.model, holdOf(claim), labelShown, told),
  );
  return true;
}

async function abandons(
  world: World,
  claimer: Claimer,
  claim: Claim,
  how: { readonly keep: boolean; readonly backOff: boolean },
): Promise<boolean> {
  claimer.claim = undefined;
  await world.act(
    `claimer of ${claim.hold.run} abandons${how.keep ? ', keeps it' : ''}${how.backOff ? ', backs off' : ''}`,
    async () => (await world.claimRecords.abandon(claim.hold, how)).kind,
    (told) => protocol.abandon(world.model, holdOf(claim), how, told),
  );
  return true;
}

async function releases(world: World, claimer: Claimer, claim: Claim): Promise<boolean> {
  claimer.claim = undefined;
  await world.act(
    `claimer of ${claim.hold.run} gives back`,
    async () => {
      await world.claimRecords.release(claim.hold);
      return 'released';
    },
    () => protocol.release(world.model, holdOf(claim)),
  );
  return true;
}

const holdOf = ({ hold, ticket }: Claim): protocol.Hold => ({ ...hold, ticket });
const words = (kind: string): string => kind.replaceAll('-', ' ');

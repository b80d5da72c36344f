/**
 * The records of a claim (PROTOCOL 2, steps 1, 5 and 7): each function is one Lua script, its answer a plain value.
 * All of them throw `OperationError` when Redis is away.
 */
import type { DeliveryName } from '../domain/delivery.ts';
import type { Trigger } from '../domain/project.ts';
import { cancelReason, type Run } from '../domain/run.ts';
import type { TicketKey } from '../domain/ticket.ts';
import type { RedisConnection } from '../redis/connection.ts';
import { type Decision, gistOf } from './decision-log.ts';
import { MOST_DECISIONS } from './retention.ts';
import { flatten, hashOf, runOf } from './run-record.ts';

/** A claim that has begun: what every later step must name. */
export interface ClaimHold {
  readonly run: string;
  readonly ticket: TicketKey;
  readonly platform: string;
  readonly fence: number;
  readonly token: string;
}

export interface ClaimQuestion {
  readonly ticket: TicketKey;
  readonly platform: string;
  readonly ticketId: string;
  readonly project: string;
  readonly trigger: Trigger;
  /** A person asked for exactly this ticket: back-off and the daily limit do not apply. */
  readonly insist: boolean;
  /** A person wants a further run of what has ended. Stays on the record, for whoever goes on with the claim. */
  readonly again?: boolean;
  /** The delivery that asks, and when it was received in Redis TIME, ms. */
  readonly delivery?: DeliveryName | undefined;
  readonly deliveredAtMs?: number | undefined;
  /** How long the poll that asks has been under way. */
  readonly foundMs?: number | undefined;
}

export interface BeginClaim extends ClaimQuestion {
  readonly newRun: string;
  readonly token: string;
}

/** What the records say of a ticket that may be claimed. */
export interface ClaimStart {
  /** `taken-over`: an earlier claim has died, this one goes on with its run. */
  readonly kind: 'begun' | 'taken-over';
  /** The ticket's run before this one, as far as its record is still there. */
  readonly previous: Run | undefined;
  /** Redis TIME in ms: what the times in records are compared with. */
  readonly atMs: number;
  /** What the run was first asked for by, whoever goes on with it, or the person who insists now; and since when. */
  readonly trigger: Trigger;
  readonly createdAtMs: number;
  /** The run was first asked for as a further one of what has ended. */
  readonly again: boolean;
}

export interface BegunClaim extends ClaimStart {
  readonly hold: ClaimHold;
}

export type ClaimRefusal =
  | { readonly kind: 'already-claimed'; readonly state: string; readonly run: string }
  | { readonly kind: 'contended' }
  | { readonly kind: 'recovering' }
  | { readonly kind: 'backing-off'; readonly untilMs: number }
  | { readonly kind: 'too-many-runs'; readonly count: number };

export type BeginClaimReply = BegunClaim | ClaimRefusal;

export interface CommitClaim {
  readonly pipeline: string;
  readonly label: string | undefined;
  readonly project: string;
  readonly policy: string;
  readonly display: string;
  readonly url: string;
  /** The platform has shown `enqueued` as the only lifecycle label: nobody needs to look once more. */
  readonly labelShown: boolean;
  /** Caps of its project and its pipeline, as this replica knows them; undefined = none. */
  readonly projectCap?: number | undefined;
  readonly pipelineCap?: number | undefined;
  /** Written with the run that it made. */
  readonly decision: Decision;
}

export interface CommittedClaim {
  readonly turn: number;
  /** Its job is to be added; otherwise it waits in the backlog of its project. */
  readonly admitted: boolean;
  /** Who wanted the run to end while it was claimed. */
  readonly cancelRequested: string | undefined;
}

export interface AbandonClaim {
  /** The record stays `received`, and whoever comes next goes on with it; otherwise it is removed. */
  readonly keep: boolean;
  /** A definite failure: the ticket is left alone for a time that doubles with each one. */
  readonly backOff: boolean;
}

export type AbandonReply =
  | { readonly kind: 'abandoned' | 'superseded' }
  | { readonly kind: 'cancelled'; readonly by: string };

export interface ClaimRecords {
  begin(claim: BeginClaim): Promise<BeginClaimReply>;
  /** What `begin` would answer now; nothing is locked and nothing is written. */
  look(claim: ClaimQuestion): Promise<ClaimStart | ClaimRefusal>;
  /** Turns the held run into a queued one; undefined when another claim has taken it over. */
  commit(hold: ClaimHold, facts: CommitClaim): Promise<CommittedClaim | undefined>;
  /**
   * Ends a claim that does not become a run now. `cancelled`: somebody has cancelled the run meanwhile, and its record does
   * not stay for whoever comes next, so it has ended as that. `superseded`: another claim has taken it over.
   */
  abandon(hold: ClaimHold, how: AbandonClaim): Promise<AbandonReply>;
  /** Releases the lock and nothing else: a run that is still `received` waits for whoever comes next. */
  release(hold: ClaimHold): Promise<void>;
  /** Whether a claim is at work on the ticket right now. */
  isLocked(platform: string, ticket: TicketKey): Promise<boolean>;
}

export interface ClaimRecordsOptions {
  readonly claimLockTtlMs: number;
  readonly claimBackoffMs: number;
  readonly claimBackoffMaxMs: number;
  readonly recoveryClaimsMs: number;
  readonly recoveryStartsMs: number;
  readonly projectionGraceMs: number;
  readonly ticketTtlMs: number;
  readonly runTtlMs: number;
  /** Most runs of one ticket in 24 h; asked at each claim, since a reload may change it. */
  readonly mostRunsPerDay: () => number;
}

const LIMIT_WINDOW_MS = 86_400_000;

export function createClaimRecords(redis: RedisConnection, options: ClaimRecordsOptions): ClaimRecords {
  const { keys } = redis;
  /** Without a token the script only looks. */
  const ask = async (claim: ClaimQuestion, newRun: string, token: string): Promise<BeginClaimReply> => {
    const reply = await redis.script(
      'begin-claim',
      [
        keys.ticket(claim.ticket),
        keys.claimLock(claim.platform, claim.ticket),
        keys.incarnation,
        keys.runs('received'),
      ],
      [
        newRun,
        token,
        options.claimLockTtlMs,
        options.recoveryClaimsMs,
        keys.run(''),
        options.mostRunsPerDay(),
        LIMIT_WINDOW_MS,
        claim.insist ? '1' : '0',
        options.ticketTtlMs,
        ...flatten({
          ticket: claim.ticket,
          ticketId: claim.ticketId,
          platform: claim.platform,
          project: claim.project,
          trigger: claim.trigger,
          delivery: claim.delivery,
          deliveredAtMs: claim.deliveredAtMs,
          foundMs: claim.foundMs,
          again: claim.again === true ? '1' : undefined,
        }),
      ],
    );
    const [kind, a = '', b = '', previous = [], atMs, trigger, createdAtMs, again] = reply;
    switch (kind) {
      case 'begun':
      case 'taken-over':
        return {
          kind,
          hold: { run: String(a), ticket: claim.ticket, platform: claim.platform, fence: Number(b), token },
          previous: Array.isArray(previous) ? runOf(hashOf(previous)) : undefined,
          atMs: Number(atMs),
          trigger: trigger === '' ? claim.trigger : (trigger as Trigger),
          createdAtMs: Number(createdAtMs),
          again: again === '1' || claim.again === true,
        };
      case 'already-claimed':
        return { kind, state: String(a), run: String(b) };
      case 'contended':
      case 'recovering':
        return { kind };
      case 'backing-off':
        return { kind, untilMs: Number(a) };
      case 'too-many-runs':
        return { kind, count: Number(a) };
      case undefined:
      default:
        throw new Error(`begin-claim answered ${String(kind)}`);
    }
  };

  return {
    begin: ({ newRun, token, ...claim }) => ask(claim, newRun, token),
    look: (claim) => ask(claim, '', ''),
    async commit(hold, { decision, labelShown, projectCap, pipelineCap, ...facts }) {
      const run = flatten(facts);
      const [kind, turn, admission, by = ''] = await redis.script(
        'commit-claim',
        [
          keys.run(hold.run),
          keys.ticket(hold.ticket),
          keys.runs('received'),
          keys.runs('queued'),
          keys.unconfirmed,
          keys.claimLock(hold.platform, hold.ticket),
          keys.decisions,
          keys.incarnation,
          keys.backlog(facts.project),
          keys.admitted('project', facts.project),
          keys.admitted('pipeline', facts.pipeline),
          keys.freeSlots,
          keys.offered,
          keys.setAside,
          keys.vainTurns(facts.project),
        ],
        [
          hold.run,
          hold.fence,
          labelShown ? '' : options.projectionGraceMs,
          hold.token,
          projectCap ?? '',
          pipelineCap ?? '',
          options.recoveryStartsMs,
          gistOf(decision),
          MOST_DECISIONS,
          run.length,
          ...run,
          ...flatten(decision),
        ],
      );
      if (kind !== 'committed') return undefined;
      const cancelRequested = by === '' ? undefined : String(by);
      return { turn: Number(turn), admitted: admission === 'admitted', cancelRequested };
    },
    async abandon(hold, { keep, backOff }) {
      const [kind, by] = await redis.script(
        'abandon-claim',
        [
          keys.run(hold.run),
          keys.ticket(hold.ticket),
          keys.claimLock(hold.platform, hold.ticket),
          keys.runs('received'),
          keys.runs('cancelled'),
          keys.unconfirmed,
        ],
        [
          hold.run,
          hold.fence,
          hold.token,
          keep ? '1' : '0',
          backOff ? options.claimBackoffMs : 0,
          options.claimBackoffMaxMs,
          cancelReason(''),
          options.runTtlMs,
          options.projectionGraceMs,
        ],
      );
      if (kind === 'cancelled') return { kind, by: String(by) };
      return { kind: kind as 'abandoned' | 'superseded' };
    },
    async release(hold) {
      await redis.script('release-lock', [keys.claimLock(hold.platform, hold.ticket)], [hold.token]);
    },
    isLocked: (platform, ticket) =>
      redis.read('look at claim lock', async (client) => (await client.exists(keys.claimLock(platform, ticket))) === 1),
  };
}

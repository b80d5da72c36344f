/**
 * One command inside the guard process, from spawn to the certainty that its whole group is gone.
 *
 *   spawn ──> running ──exit──> leftovers? ──SIGTERM, SIGKILL──> group gone ──> output drained ──> ended
 *     │         │└── stop, trust lost: SIGTERM, SIGKILL ──exit──────┤
 *     │         └─── trust lost but spared: frozen ──SIGKILL──exit──┘
 *     │                       └── an accepted beat: running
 *     └─ refused: not-started
 *
 * Invariants: the group is signalled only while it may have members, so its number cannot belong to somebody else;
 * `ended` resolves once, never rejects, and not before the group is gone. What left the group by setsid is not covered:
 * it is neither signalled nor waited for.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { elapsedMs, type Moment, now } from '../../foundation/clock.ts';
import { unreachable } from '../../foundation/errors.ts';
import {
  type Ending,
  GUARD_MARK,
  type GuardedEnd,
  type GuardedSpec,
  type GuardTiming,
  OUTPUT_TAIL_BYTES,
} from './guarded-process.ts';
import { decideSignal, type LeashFacts, type LeashSignal, leashCheckMs } from './leash.ts';
import { createOutputTail } from './output-tail.ts';
import { GROUP_POLL_MS, groupIsGone, signalGroup } from './process-group.ts';
import { explainSpawnFailure } from './spawn-failure.ts';

/** A pipe that something outside the group still holds open is given up after this. */
const DRAIN_MS = 500;

export interface SupervisedCommand {
  /** The pid and the number of the group; undefined if it was not started. */
  readonly pid: number | undefined;
  readonly ended: Promise<GuardedEnd>;
  /** Trust reaches from `sentAt` now, if that is later than before. */
  beat(sentAt: Moment): void;
  /** A reason at this moment to freeze the group rather than to end it. */
  spare(at: Moment): void;
  /** SIGTERM now, SIGKILL after the grace; a frozen group: SIGKILL now. */
  stop(reason: string): void;
  /** SIGKILL now. */
  kill(): void;
}

type StopCause = Extract<Ending, { kind: 'stopped' | 'trust-lost' }>;

interface Stopping {
  readonly since: Moment;
  /** What the command ends of; means nothing if it had ended by itself already. */
  readonly cause: StopCause;
}

export interface Witness {
  /** Called once if SIGKILL does not end the group within another grace. */
  readonly onSurvivor: (pid: number) => void;
  /** Called when the group was frozen or thawed. */
  readonly onFreeze: (frozen: boolean) => void;
}

export function superviseCommand(spec: GuardedSpec, timing: GuardTiming, witness: Witness): SupervisedCommand {
  // A start that was under way while its worker or this process stood still: the ticket may be somebody else's by now.
  if (elapsedMs(spec.trustedSince) >= timing.trustTermMs) return neverStarted({ kind: 'trust-lost' });
  let child: ChildProcess;
  try {
    child = spawn(spec.program, spec.args, {
      cwd: spec.cwd,
      env: { ...spec.env, [GUARD_MARK]: spec.attemptId },
      detached: true,
      stdio: 'pipe',
    });
  } catch (error) {
    return neverStarted({ kind: 'not-started', reason: explainSpawnFailure(error, spec) });
  }
  if (child.pid !== undefined) return supervise(child, child.pid, spec, timing, witness);
  // The system refused the program: Node says why in an event.
  return neverStarted(
    once(child, 'error').then(([error]) => ({ kind: 'not-started', reason: explainSpawnFailure(error, spec) })),
  );
}

type Refusal = Extract<Ending, { kind: 'not-started' | 'trust-lost' }>;

function neverStarted(refusal: Refusal | Promise<Refusal>): SupervisedCommand {
  return {
    pid: undefined,
    ended: Promise.resolve(refusal).then((why) => ({ ...why, outputTail: '' })),
    beat: () => undefined,
    spare: () => undefined,
    stop: () => undefined,
    kill: () => undefined,
  };
}

function supervise(
  child: ChildProcess,
  pid: number,
  spec: GuardedSpec,
  timing: GuardTiming,
  witness: Witness,
): SupervisedCommand {
  const output = createOutputTail({ limitBytes: OUTPUT_TAIL_BYTES, secrets: spec.secrets });
  const { promise: ended, resolve: end } = Promise.withResolvers<GuardedEnd>();
  const closed = new Promise((resolve) => child.once('close', resolve));
  let lastBeat = spec.trustedSince;
  let sparedAt: Moment | undefined;
  let frozen = false;
  let stopping: Stopping | undefined;
  let ending: Ending | undefined;
  let gone = false;
  let survivorReported = false;
  let timer: NodeJS.Timeout | undefined;

  const term = (cause: StopCause): void => {
    stopping = { since: now(), cause };
    if (!frozen) signalGroup(pid, 'SIGTERM');
  };

  const freeze = (): void => {
    signalGroup(pid, 'SIGSTOP');
    if (!frozen) witness.onFreeze(true);
    frozen = true;
  };

  const thaw = (): void => {
    frozen = false;
    signalGroup(pid, 'SIGCONT');
    witness.onFreeze(false);
  };

  const kill = (): void => {
    if (gone) return;
    stopping ??= { since: now(), cause: { kind: 'trust-lost' } };
    signalGroup(pid, 'SIGKILL');
    if (survivorReported || elapsedMs(stopping.since) < 2 * timing.stopGraceMs) return;
    survivorReported = true;
    witness.onSurvivor(pid);
  };

  /** Looks at everything and does what is due; the only place that decides. */
  const check = (): void => {
    clearTimeout(timer);
    if (gone) return;
    if (ending !== undefined && groupIsGone(pid)) {
      gone = true;
      void finish(ending);
      return;
    }
    const facts: LeashFacts = {
      beatAgeMs: elapsedMs(lastBeat),
      spareAgeMs: sparedAt && elapsedMs(sparedAt),
      stoppingMs: stopping && elapsedMs(stopping.since),
      exited: ending !== undefined,
      frozen,
    };
    obey(decideSignal(facts, timing));
    timer = setTimeout(check, stopping === undefined ? leashCheckMs(timing) : GROUP_POLL_MS);
  };

  const obey = (signal: LeashSignal): void => {
    switch (signal) {
      case 'none':
        return;
      case 'term':
        return term({ kind: 'trust-lost' });
      case 'kill':
        return kill();
      case 'freeze':
        return freeze();
      case 'thaw':
        return thaw();
      default:
        return unreachable(signal);
    }
  };

  const finish = async (how: Ending): Promise<void> => {
    // All that the group has printed is in the pipes by now; only something outside it can still hold them open.
    await Promise.race([closed, delay(DRAIN_MS)]);
    child.stdout?.destroy();
    child.stderr?.destroy();
    end({ ...how, outputTail: output.finish() });
  };

  child.stdout?.on('data', output.stream());
  child.stderr?.on('data', output.stream());
  // A command may end, or close its input, without having read it: EPIPE and ECONNRESET are its good right.
  child.stdin?.on('error', () => undefined);
  child.stdin?.end(spec.stdin);
  child.once('exit', (code, signal) => {
    ending = stopping?.cause ?? (signal === null ? { kind: 'exited', code: code ?? 0 } : { kind: 'signalled', signal });
    check();
  });
  check();

  return {
    pid,
    ended,
    beat(sentAt) {
      if (elapsedMs(sentAt) < elapsedMs(lastBeat)) lastBeat = sentAt;
      if (frozen) check();
    },
    spare(at) {
      sparedAt = at;
    },
    stop(reason) {
      if (gone || stopping !== undefined) return;
      term({ kind: 'stopped', reason });
      check();
    },
    kill,
  };
}

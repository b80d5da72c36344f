/** The run as Redis keeps it (a hash of texts) and as the house sees it (`Run`). */
import type { Trigger } from '../domain/project.ts';
import type { AttemptEnding, AttemptRecord, LabelState, Run, RunState } from '../domain/run.ts';

/** A flat `field, value, ...` list, the form in which Lua returns a hash. */
export type FlatHash = readonly string[];

export function hashOf(flat: FlatHash): Record<string, string> {
  const hash: Record<string, string> = {};
  for (let i = 0; i + 1 < flat.length; i += 2) hash[flat[i] as string] = flat[i + 1] as string;
  return hash;
}

/** The field alone, or nothing when it is missing: to be spread. */
export function optionalText<N extends string>(
  hash: Readonly<Record<string, string>>,
  name: N,
): { readonly [K in N]?: string } {
  const value = hash[name];
  return value === undefined ? {} : ({ [name]: value } as { readonly [K in N]?: string });
}

/** Undefined when there is no such record. */
export function runOf(hash: Readonly<Record<string, string>>): Run | undefined {
  const { id, ticket, state } = hash;
  if (id === undefined || ticket === undefined || state === undefined) return undefined;
  const number = (name: string): number => Number(hash[name] ?? 0);
  const optional = <N extends string>(name: N) => optionalText(hash, name);
  const optionalNumber = <N extends string>(name: N): { readonly [K in N]?: number } =>
    hash[name] === undefined ? {} : ({ [name]: number(name) } as { readonly [K in N]?: number });
  return {
    id,
    ticket,
    ticketId: hash.ticketId ?? '',
    display: hash.display ?? '',
    url: hash.url ?? '',
    project: hash.project ?? '',
    platform: hash.platform ?? '',
    trigger: (hash.trigger ?? 'poll') as Trigger,
    state: state as RunState,
    fence: number('fence'),
    turn: number('turn'),
    attempt: number('attempt'),
    attemptFence: number('attemptFence'),
    interrupted: number('interrupted'),
    takes: number('takes'),
    labelState: (hash.labelState ?? 'unconfirmed') as LabelState,
    labelDoubts: number('labelDoubts'),
    createdAtMs: number('createdAtMs'),
    sinceMs: number('sinceMs'),
    ...optional('pipeline'),
    ...optional('label'),
    ...optional('policy'),
    ...optional('worker'),
    ...optional('reason'),
    ...optional('labelReason'),
    ...optional('cancelRequested'),
    ...optional('delivery'),
    ...optionalNumber('handedOn'),
    ...optionalNumber('deliveredAtMs'),
    ...optionalNumber('foundMs'),
    ...optionalNumber('labelRefusedMs'),
    ...optionalNumber('queuedAtMs'),
    ...optionalNumber('admittedAtMs'),
    ...optionalNumber('backAtMs'),
    ...optionalNumber('startedAtMs'),
    ...optionalNumber('endedAtMs'),
    ...optionalNumber('confirmedAtMs'),
  };
}

const ATTEMPT = 'attempt:';

/** The attempts of a run in their order, those that have ended and then the one at work; the oldest may be forgotten. */
export function attemptsOf(hash: Readonly<Record<string, string>>): AttemptRecord[] {
  const ended = Object.entries(hash).flatMap(([field, text]): AttemptRecord[] => {
    if (!field.startsWith(ATTEMPT)) return [];
    const { worker, startedAtMs, endedAtMs, how, reason } = JSON.parse(text) as ClosedAttempt;
    const number = Number(field.slice(ATTEMPT.length));
    return [{ number, worker, startedAtMs, end: { atMs: endedAtMs, how, reason } }];
  });
  ended.sort((a, b) => a.number - b.number);
  const run = runOf(hash);
  if (run?.state !== 'running') return ended;
  return [...ended, { number: run.attempt, worker: run.worker ?? '', startedAtMs: run.startedAtMs ?? 0 }];
}

/** What `close_attempt` in the scripts' prelude writes. */
interface ClosedAttempt {
  readonly worker: string;
  readonly startedAtMs: number;
  readonly endedAtMs: number;
  readonly how: AttemptEnding;
  readonly reason: string;
}

/** `field, value, ...` of what is known, for a script's ARGV. Undefined values are left out. */
export function flatten(fields: object): string[] {
  return Object.entries(fields).flatMap(([name, value]) =>
    value === undefined ? [] : [name, String(value as string | number)],
  );
}

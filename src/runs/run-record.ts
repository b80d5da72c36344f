/** The run as Redis keeps it (a hash of texts) and as the house sees it (`Run`). */
import type { Trigger } from '../domain/project.ts';
import type { LabelState, Run, RunState } from '../domain/run.ts';

/** A flat `field, value, ...` list, the form in which Lua returns a hash. */
export type FlatHash = readonly string[];

export function hashOf(flat: FlatHash): Record<string, string> {
  const hash: Record<string, string> = {};
  for (let i = 0; i + 1 < flat.length; i += 2) hash[flat[i] as string] = flat[i + 1] as string;
  return hash;
}

/** Undefined when there is no such record. */
export function runOf(hash: Readonly<Record<string, string>>): Run | undefined {
  const { id, ticket, state } = hash;
  if (id === undefined || ticket === undefined || state === undefined) return undefined;
  const number = (name: string): number => Number(hash[name] ?? 0);
  const optional = <N extends string>(name: N): { readonly [K in N]?: string } => {
    const value = hash[name];
    return value === undefined ? {} : ({ [name]: value } as { readonly [K in N]?: string });
  };
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
    ...optionalNumber('labelRefusedMs'),
    ...optionalNumber('queuedAtMs'),
    ...optionalNumber('startedAtMs'),
    ...optionalNumber('endedAtMs'),
    ...optionalNumber('confirmedAtMs'),
  };
}

/** `field, value, ...` of what is known, for a script's ARGV. Undefined values are left out. */
export function flatten(fields: object): string[] {
  return Object.entries(fields).flatMap(([name, value]) =>
    value === undefined ? [] : [name, String(value as string | number)],
  );
}

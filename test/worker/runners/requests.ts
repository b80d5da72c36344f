/** Requests as the worker would make them. */
import type { Ticket } from '../../../src/domain/ticket.ts';
import { now } from '../../../src/foundation/clock.ts';
import type { CommandRequest, CommandSpec } from '../../../src/worker/runners/command-runner.ts';

let runs = 0;

export function requestFor(
  more: { ticket?: Partial<Ticket>; command?: Partial<CommandSpec>; timeoutMs?: number } = {},
): CommandRequest {
  runs += 1;
  return {
    run: `01RUN${runs}`,
    attempt: 2,
    adopts: false,
    fence: 1_700_000_000_000,
    project: 'my-api',
    pipeline: 'fix-bug',
    platform: 'github',
    ticket: {
      key: 'github~github.com~org%2Fmy-api~7',
      id: '7',
      display: 'org/my-api#7',
      url: 'https://github.com/org/my-api/issues/7',
      title: 'It breaks',
      body: 'Every time.',
      labels: ['agent-smith'],
      open: true,
      ...more.ticket,
    },
    code: { type: 'GitHub', url: 'https://github.com/org/my-api' },
    timeoutMs: more.timeoutMs ?? 60_000,
    trustedSince: now(),
    command: { program: 'true', args: [], env: {}, passEnv: [], ...more.command },
  };
}

/** What such a request tells whoever does the work, in JSON. */
export function toldOf({ run }: Pick<CommandRequest, 'run'>) {
  return {
    key: 'github~github.com~org%2Fmy-api~7',
    id: '7',
    display: 'org/my-api#7',
    title: 'It breaks',
    body: 'Every time.',
    labels: ['agent-smith'],
    url: 'https://github.com/org/my-api/issues/7',
    source: { type: 'GitHub', url: 'https://github.com/org/my-api' },
    project: 'my-api',
    pipeline: 'fix-bug',
    platform: 'github',
    run,
    attempt: 2,
    fence: 1_700_000_000_000,
  };
}

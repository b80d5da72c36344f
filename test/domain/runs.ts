/** Runs in any state, for what is decided from a record alone. */
import type { LabelState, Run, RunState } from '../../src/domain/run.ts';

export const runIn = (state: RunState, labelState: LabelState = 'unconfirmed', labelDoubts = 0): Run => ({
  id: 'run',
  ticket: 'ticket',
  ticketId: '1',
  display: 'org/api#1',
  url: '',
  project: 'api',
  platform: 'github',
  trigger: 'poll',
  state,
  fence: 1,
  turn: 1,
  attempt: 0,
  attemptFence: 0,
  interrupted: 0,
  takes: 0,
  labelState,
  labelDoubts,
  createdAtMs: 0,
  sinceMs: 0,
});

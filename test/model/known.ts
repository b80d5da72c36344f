/**
 * Sequences that are worth playing each time. Those of the first list were found by the model and shrunk; every one failed
 * before it was repaired, and what was wrong then stands beside it. Those of the second lead into corners that chance finds
 * only now and then, each guarded by one line of a script.
 */
import type { Step } from './steps.ts';

type ActOf<By extends Step['by']> = Extract<Step, { by: By }>['act'];

const claimer = (act: ActOf<'claimer'>): Step => ({ by: 'claimer', who: 0, act, ticket: '1', trigger: 'poll' });
const worker = (who: number, act: ActOf<'worker'>, lost = false): Step => ({
  by: 'worker',
  who,
  act,
  ticket: '1',
  lost,
});
const painter = (act: ActOf<'painter'>, who = 0): Step => ({ by: 'painter', who, act, ticket: '1' });
const person = (act: ActOf<'person'>): Step => ({ by: 'person', act, ticket: '1' });
const time = (act: ActOf<'time'>): Step => ({ by: 'time', act, ticket: '1' });
const detector = (act: ActOf<'detector'>): Step => ({ by: 'detector', act, ticket: '1' });
const server = (act: ActOf<'redis'>): Step => ({ by: 'redis', act });

const insisting: Step = { by: 'claimer', who: 0, act: 'next', ticket: '1', trigger: 'manual' };
const oneRun: readonly Step[] = [claimer('whole'), worker(0, 'job'), worker(0, 'next'), painter('whole')];

export interface Known {
  readonly what: string;
  readonly steps: readonly Step[];
}

const FOUND: readonly Known[] = [
  {
    // It stayed on the list of what is received.
    what: 'a failover sets a running attempt back to its claim, and its worker restores it: it is on the list of its state alone',
    steps: [
      claimer('next'),
      server('copy'),
      claimer('whole'),
      worker(2, 'job'),
      server('fail-over'),
      worker(2, 'beat'),
      worker(2, 'beat'),
    ],
  },
  {
    // It was cancelled under its worker, whose next beat opened it again: on two lists at once.
    what: 'a failover sets a running attempt back into the queue: nobody ends its run there before its worker has reported',
    steps: [
      claimer('whole'),
      server('copy'),
      worker(1, 'job'),
      server('fail-over'),
      worker(0, 'next'),
      worker(0, 'cancel-queued'),
      worker(1, 'beat'),
    ],
  },
  {
    // The later attempt opened the run again, which ended twice.
    what: 'after a loss of data an earlier attempt tells the end of its run first: the later one is superseded',
    steps: [
      claimer('whole'),
      worker(0, 'job'),
      time('heartbeat'),
      detector('judge'),
      detector('hand-back'),
      worker(1, 'job'),
      worker(0, 'next'),
      server('flush'),
      worker(0, 'beat'),
      worker(0, 'beat'),
      worker(0, 'next'),
      worker(1, 'beat'),
      worker(1, 'beat'),
    ],
  },
  {
    // The end of the earlier run took the heartbeat of the one at work away.
    what: 'a failover brings a run back that had ended: its worker tells the end again, and leaves the heartbeat of the next run alone',
    steps: [
      claimer('whole'),
      worker(0, 'job'),
      server('copy'),
      worker(0, 'next', true),
      painter('whole'),
      person('pending'),
      claimer('whole'),
      worker(1, 'job'),
      server('fail-over'),
      worker(1, 'beat'),
      worker(1, 'beat'),
      worker(0, 'next'),
      worker(1, 'beat'),
    ],
  },
  {
    // It was forgotten for good: unconfirmed and due to nobody, and no claim of its ticket was taken any more.
    what: 'a claim that comes to nothing gives the ticket back to a run that a painter was about to forget: it stays due',
    steps: [
      ...oneRun,
      person('pending'),
      claimer('next'),
      painter('old-run', 1),
      claimer('fail'),
      person('enqueued'),
      painter('next'),
      painter('next'),
      painter('next', 1),
    ],
  },
];

const CORNERS: readonly Known[] = [
  {
    what: 'a failover brings a queued run back whose ticket has a newer run: no worker starts it',
    steps: [
      claimer('whole'),
      server('copy'),
      worker(0, 'job'),
      worker(0, 'next'),
      painter('whole'),
      person('pending'),
      claimer('whole'),
      worker(1, 'job'),
      server('fail-over'),
      worker(1, 'beat'),
      worker(1, 'beat'),
      server('recover'),
      server('recover'),
      worker(2, 'old-job'),
      worker(2, 'next'),
    ],
  },
  {
    what: 'a ticket that has had its runs of the day gets no further one, unless a person insists',
    steps: [...oneRun, person('pending'), ...oneRun, person('pending'), claimer('next'), insisting],
  },
  {
    what: 'a worker is about to restore its attempt when an earlier one tells the end of the run: it is refused',
    steps: [
      claimer('whole'),
      worker(0, 'job'),
      time('heartbeat'),
      detector('judge'),
      detector('hand-back'),
      worker(1, 'job'),
      worker(0, 'next'),
      server('flush'),
      worker(0, 'beat'),
      worker(1, 'beat'),
      worker(0, 'beat'),
      worker(0, 'next'),
      worker(1, 'beat'),
    ],
  },
  {
    what: 'a worker is about to restore its attempt when its ticket is claimed anew: it is refused',
    steps: [
      claimer('whole'),
      worker(0, 'job'),
      painter('whole'),
      server('flush'),
      server('recover'),
      worker(0, 'beat'),
      server('recover'),
      server('recover'),
      server('recover'),
      painter('whole'),
      claimer('next'),
      worker(0, 'beat'),
    ],
  },
];

export const KNOWN: readonly Known[] = [...FOUND, ...CORNERS];

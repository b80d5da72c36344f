/** One ticket of the demo as a viewer sees it. */
import type { Lifecycle } from '../../domain/lifecycle.ts';
import type { Trigger } from '../../domain/project.ts';
import type { WatchedLife } from './ledger.ts';
import type { LabelEdits } from './tickets.ts';
import type { TicketEnd } from './verdict.ts';

/** How a ticket looks to a viewer: its lifecycle, or why it has none. `interrupted`: its worker was killed under it. */
export type Look = 'new' | Lifecycle | 'interrupted' | 'skipped';

/** How a ticket came in. */
export interface Arrival {
  readonly by: Trigger;
  /** Since somebody asked for it. */
  readonly afterMs: number;
}

/** A ticket as it stands now. */
export interface BoardTicket {
  /** Its page: the one name that is the same for the emulator and the pipelines. */
  readonly page: string;
  /** Slug of its platform. */
  readonly platform: string;
  /** For people, in its platform's section: `shop#3`. */
  readonly shortName: string;
  /** For people, anywhere: `GitHub shop#3`. */
  readonly name: string;
  /** Untrusted text. */
  readonly title: string;
  readonly pipeline: string;
  readonly look: Look;
  /** Undefined until it was claimed. */
  readonly arrival: Arrival | undefined;
  /** Why it is left alone, for `skipped`. */
  readonly why: string;
  readonly end: TicketEnd;
  readonly life: WatchedLife | undefined;
  /** Since it looks like this; wall-clock ms. */
  readonly sinceMs: number;
  readonly asked: number;
  /** What a person does to its labels while we move ours. */
  readonly edits: LabelEdits | undefined;
  /** The people have closed it: it is off the board. */
  readonly closed: boolean;
}

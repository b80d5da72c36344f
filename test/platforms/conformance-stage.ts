/**
 * What a platform brings to the conformance suite: its emulator with a project, its adapter on it, and the few acts that
 * every tracker has but each does in its own way. One file `test/platforms/<slug>/conformance-stage.ts` per platform,
 * which exports `openStage`.
 */
import type { EmulatedProject, EmulatedServer, TicketView } from '../../src/emulators/emulated-project.ts';
import type { TicketPlatform } from '../../src/platforms/contract.ts';
import type { TransportOptions } from '../../src/platforms/transport.ts';

export interface ConformanceStage extends AsyncDisposable {
  readonly server: EmulatedServer;
  readonly project: EmulatedProject;
  /** The adapter of `project` with a credential that may read and write, signed in as `smith`. */
  readonly platform: TicketPlatform;
  /** The secret in that credential: it must be in no error and no fact. */
  readonly secret: string;
  /** An adapter on a transport of its own, whose credential may read tickets but not label them. */
  readonly reader: TicketPlatform;
  /** An adapter on a transport of its own, whose credential the server does not know. */
  readonly stranger: TicketPlatform;
  /** A lower-case name that a person may have; the account of `platform` is never called so. */
  readonly person: string;
  /** Tickets on one page of a listing, as the adapter asks for them (kept small where the platform allows). */
  readonly pageSize: number;
  /** How the platform matches its own label filter; labels are compared again in code, so results are the same. */
  readonly labelRules: {
    /** A label that could break out of the query language of this platform if it were not escaped. */
    readonly hostile: string;
    /** Whether one ticket can carry `Bug` and `bug` at once. */
    readonly caseSensitive: boolean;
  };
  /** Moves the ticket to another project of the same server, as people do. */
  move(ticket: string): void;
  /** What a read shows after that: gone for this source, closed with a successor, or moved within the container. */
  readonly afterMove: 'not-found' | 'closed' | 'other-scope';
  /** Renames the project, as people do, where that keeps its tickets under the configured name; else undefined. */
  readonly rename?: () => void;
  /** The next request with the credential of `platform` is refused for its rate, in the platform's own way. */
  limit(options: { readonly retryAfterSeconds?: number }): void;
  /** Whether the ticket's number belongs to something that is no ticket (a pull request); undefined where there is none. */
  readonly notATicket?: () => TicketView;
}

export type OpenStage = (transport?: Partial<TransportOptions>) => Promise<ConformanceStage>;

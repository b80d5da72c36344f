/**
 * What a platform brings to the conformance suite: its emulator with a project, its adapter on it, and the few acts that
 * every tracker has but each does in its own way. One file `test/platforms/<slug>/conformance-stage.ts` per platform,
 * which exports `openStage`.
 */
import type { EmulatedProject, EmulatedServer, TicketView } from '../../src/emulators/emulated-project.ts';
import type { TicketPlatform } from '../../src/platforms/contract.ts';
import type { ConnectOptions, Credential } from '../../src/platforms/descriptor.ts';
import type { MissedDeliveries } from '../../src/platforms/missed-deliveries.ts';
import { createTransport, type TransportOptions } from '../../src/platforms/transport.ts';
import { watch } from '../support/watched-source.ts';

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
  /** What asks for missed deliveries, with the credential of `platform`, which may look at hooks. */
  readonly missed: MissedDeliveries;
  readonly webhook: {
    /** As people would make one for a hook here. */
    readonly secret: string;
    /** Whether deliveries are signed; else the secret itself comes along. */
    readonly isSigned: boolean;
    /** Whether they show that a ticket is open; where a project says which states are, they cannot. */
    readonly showsOpen: boolean;
    /** Whether the platform can be asked for deliveries; else all is found that has changed. */
    readonly listsDeliveries: boolean;
  };
  /** Whether the ticket's number belongs to something that is no ticket (a pull request); undefined where there is none. */
  readonly notATicket?: () => TicketView;
}

export type OpenStage = (transport?: Partial<TransportOptions>) => Promise<ConformanceStage>;

type Credentials = Readonly<Record<'smith' | 'reader' | 'stranger', Credential>>;

/** Everything that asks, each with a transport of its own; that of `platform` is as the suite wants it. */
export function connectStage(
  project: EmulatedProject,
  credentials: Credentials,
  transport: Partial<TransportOptions>,
): Pick<ConformanceStage, 'platform' | 'reader' | 'stranger' | 'missed'> {
  const { descriptor, source, tickets } = watch(project);
  const as = (credentialId: keyof Credentials, options: Partial<TransportOptions> = {}): ConnectOptions => ({
    source,
    tickets,
    credential: credentials[credentialId],
    transport: createTransport({ credentialId, origin: source.apiUrl, ...options }),
  });
  return {
    platform: descriptor.connect(as('smith', transport)),
    reader: descriptor.connect(as('reader')),
    stranger: descriptor.connect(as('stranger')),
    missed: descriptor.openMissedDeliveries(as('smith')),
  };
}

export const tokenOf = (token: string): Credential => ({ kind: 'token', token });

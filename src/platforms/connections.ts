/**
 * The open adapters, one per project. Projects with the same credential at the same origin share a transport, and with
 * it their rate limits and caches. A reload keeps what has not changed, so that no cache is lost, and forgets what no
 * project uses any more.
 */
import type { PlatformSlug, TicketSource } from '../domain/ticket.ts';
import { messageOf } from '../foundation/errors.ts';
import type { TicketPlatform } from './contract.ts';
import type { Credential, PlatformDescriptor, TicketsConfig } from './descriptor.ts';
import type { MissedDeliveries } from './missed-deliveries.ts';
import type { Budget, RateLimits } from './rate-limits.ts';
import type { RequestFacts } from './session.ts';
import { createTransport, type Transport } from './transport.ts';

export interface ConnectionSpec {
  readonly project: string;
  readonly descriptor: PlatformDescriptor;
  readonly source: TicketSource;
  readonly tickets: TicketsConfig;
  /** Same name = same credential = same budget; never the secret itself. */
  readonly credentialName: string;
  readonly credential: Credential;
}

export interface Connections {
  /** Opens what is new, keeps what is the same, forgets what is gone. Answers the projects that cannot be opened. */
  update(specs: readonly ConnectionSpec[]): { readonly project: string; readonly problem: string }[];
  /** Undefined when the project has no open adapter. */
  platformOf(project: string): TicketPlatform | undefined;
  /** Undefined when it has none, or its platform cannot be asked for missed deliveries. */
  missedOf(project: string): MissedDeliveries | undefined;
  /** What listings are bounded by; the project's own name when it has no credential. */
  credentialOf(project: string): string;
  /** The budget of the project's credential, as last seen; undefined when it has no open adapter. */
  budgetOf(project: string): Budget | undefined;
  /** The credentials in use. */
  credentials(): readonly UsedCredential[];
}

export interface UsedCredential {
  /** Its name, never the secret. */
  readonly credential: string;
  readonly platform: PlatformSlug;
  readonly limits: Pick<RateLimits, 'look' | 'budget'>;
}

export interface ConnectionsOptions {
  readonly onRequest: (platform: string, facts: RequestFacts) => void;
  /** Told of every token that an adapter obtains by itself. */
  readonly learnSecret: (secret: string) => void;
  /** The limits of a credential, by its name; kept in this process alone when absent. */
  readonly limitsOf?: ((credential: string) => RateLimits) | undefined;
}

interface Open {
  readonly fingerprint: string;
  readonly credentialName: string;
  readonly transport: Transport;
  readonly platform: TicketPlatform;
  readonly missed: MissedDeliveries | undefined;
}

export function createConnections(options: ConnectionsOptions): Connections {
  const transports = new Map<string, Transport>();
  let open = new Map<string, Open>();

  const transportOf = (spec: ConnectionSpec): Transport => {
    const { origin } = new URL(spec.source.apiUrl);
    const key = `${spec.credentialName} ${origin}`;
    const known =
      transports.get(key) ??
      createTransport({
        credentialId: spec.credentialName,
        origin,
        learnSecret: options.learnSecret,
        ...(options.limitsOf && { limits: options.limitsOf(spec.credentialName) }),
        onRequest: (facts) => options.onRequest(spec.source.platform, facts),
      });
    transports.set(key, known);
    return known;
  };

  return {
    update(specs) {
      const problems: { readonly project: string; readonly problem: string }[] = [];
      const next = new Map<string, Open>();
      for (const spec of specs) {
        const fingerprint = JSON.stringify([spec.source, spec.tickets, spec.credentialName, spec.credential]);
        const known = open.get(spec.project);
        try {
          if (known?.fingerprint === fingerprint) {
            next.set(spec.project, known);
          } else {
            const transport = transportOf(spec);
            const { credentialName } = spec;
            next.set(spec.project, {
              fingerprint,
              credentialName,
              transport,
              platform: spec.descriptor.connect({ ...spec, transport }),
              missed: spec.descriptor.openMissedDeliveries?.({ ...spec, transport }),
            });
          }
        } catch (error) {
          problems.push({ project: spec.project, problem: messageOf(error) });
        }
      }
      open = next;
      // Credentials are rotated, and each has a new name. An adapter that is still in use keeps its transport by itself.
      const used = new Set([...open.values()].map(({ transport }) => transport));
      for (const [key, transport] of transports) if (!used.has(transport)) transports.delete(key);
      return problems;
    },
    platformOf: (project) => open.get(project)?.platform,
    missedOf: (project) => open.get(project)?.missed,
    credentialOf: (project) => open.get(project)?.credentialName ?? project,
    budgetOf: (project) => open.get(project)?.transport.limits.budget(),
    credentials() {
      const used = [...open.values()].map(({ credentialName, transport, platform }): [string, UsedCredential] => [
        credentialName,
        { credential: credentialName, platform: platform.slug, limits: transport.limits },
      ]);
      return [...new Map(used).values()];
    },
  };
}

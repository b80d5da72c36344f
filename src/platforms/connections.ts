/**
 * The open adapters, one per project. Projects with the same credential at the same origin share a transport, and with
 * it their rate limits and caches. A reload keeps what has not changed, so that no cache is lost.
 */
import type { TicketSource } from '../domain/ticket.ts';
import { messageOf } from '../foundation/errors.ts';
import type { TicketPlatform } from './contract.ts';
import type { Credential, PlatformDescriptor, TicketsConfig } from './descriptor.ts';
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
  /** What listings are bounded by; the project's own name when it has no credential. */
  credentialOf(project: string): string;
}

interface Open {
  readonly fingerprint: string;
  readonly credentialName: string;
  readonly platform: TicketPlatform;
}

export function createConnections(options: {
  readonly onRequest: (platform: string, facts: RequestFacts) => void;
}): Connections {
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
        const { connect } = spec.descriptor;
        if (connect === undefined) continue;
        const fingerprint = JSON.stringify([spec.source, spec.tickets, spec.credentialName]);
        const known = open.get(spec.project);
        try {
          next.set(
            spec.project,
            known?.fingerprint === fingerprint
              ? known
              : {
                  fingerprint,
                  credentialName: spec.credentialName,
                  platform: connect({ ...spec, transport: transportOf(spec) }),
                },
          );
        } catch (error) {
          problems.push({ project: spec.project, problem: messageOf(error) });
        }
      }
      open = next;
      return problems;
    },
    platformOf: (project) => open.get(project)?.platform,
    credentialOf: (project) => open.get(project)?.credentialName ?? project,
  };
}

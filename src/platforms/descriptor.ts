/**
 * What the house knows of a platform before it talks to it: its names and its share of the configuration. One
 * descriptor per folder, listed in `registry.ts`. Nothing above `platforms/` names a provider.
 */
import type { z } from 'zod';
import type { PlatformSlug, TicketSource } from '../domain/ticket.ts';
import type { TicketPlatform } from './contract.ts';
import type { MissedDeliveries } from './missed-deliveries.ts';
import type { Transport } from './transport.ts';
import type { WebhookDialect } from './webhook.ts';

/** The `tickets:` section of a project after the schema has accepted it, `${}` expanded. */
export type TicketsConfig = Readonly<Record<string, unknown>> & { readonly url?: string; readonly api_url?: string };

/** What proves who we are. The secret values are known to the redactor before a descriptor sees them. */
export type Credential =
  | { readonly kind: 'token'; readonly token: string }
  | { readonly kind: 'basic'; readonly email: string; readonly token: string }
  | {
      readonly kind: 'app';
      readonly appId: string;
      readonly installationId: string;
      readonly privateKeyFile: string;
    }
  | {
      /** An application of Microsoft Entra ID, by the client credentials flow. */
      readonly kind: 'entra';
      readonly tenantId: string;
      readonly clientId: string;
      readonly clientSecret: string;
      /** Where tokens are asked for; `https://login.microsoftonline.com` unless a cloud of its own says otherwise. */
      readonly authorityUrl: string;
    };

/** The environment variables from which a credential is read when the project names none of its own. */
export interface CredentialEnvironment {
  readonly token: string;
  readonly email?: string;
  readonly webhookSecret: string;
}

export interface ConnectOptions {
  readonly source: TicketSource;
  readonly tickets: TicketsConfig;
  readonly credential: Credential;
  readonly transport: Transport;
}

/** What is wrong with a `tickets:` section, at which of its keys. The words never repeat the value. */
export interface SourceProblem {
  readonly key: string;
  readonly problem: string;
}

export interface PlatformDescriptor {
  /** Name of the folder, of keys, routes, metrics. */
  readonly slug: PlatformSlug;
  /** The value of `type:` in the YAML, any letter case. */
  readonly type: string;
  /** The key of the trigger section, `<slug>_trigger`. */
  readonly triggerKey: string;
  readonly environment: CredentialEnvironment;
  /** Schema of `tickets:` (type, url, api_url, auth and the platform's own keys), strict. */
  readonly ticketsSchema: z.ZodType;
  /** Whether a token alone proves nothing here: then `environment.email` or `auth.email` must be set too. */
  readonly needsEmail?: (tickets: TicketsConfig) => boolean;
  /** Turns a valid `tickets:` section into the source, or says in words what is wrong with it and at which key. */
  resolveSource(tickets: TicketsConfig): TicketSource | SourceProblem;
  /** Reads `7`, `#7`, `org/repo#7`, `ABC-7` or the ticket's URL; undefined when it is no ticket of this source. */
  parseTicketId(text: string, source: TicketSource): string | undefined;
  /** Why no ticket can be found by a label of this name here; undefined when it can. */
  readonly labelProblem?: (label: string) => string | undefined;
  /**
   * Opens the adapter. Asks nobody anything yet.
   * @throws PlatformError for a credential that cannot be used here.
   */
  connect(options: ConnectOptions): TicketPlatform;
  /** How its webhooks are proven and read. */
  readonly webhook: WebhookDialect;
  /** Opens what asks for missed deliveries. Throws as `connect` does. */
  openMissedDeliveries(options: ConnectOptions): MissedDeliveries;
}

/**
 * Tokens of Microsoft Entra ID for an application, by the client credentials flow. One per transport: all projects on a
 * credential share it. It is renewed before it ends, and once after Azure DevOps refused one that it had taken before;
 * a fresh one that is refused is not at fault, and asking for more of them would help nobody.
 */
import { z } from 'zod';
import { elapsedMs, type Moment, now } from '../../foundation/clock.ts';
import { PlatformError } from '../contract.ts';
import type { Credential } from '../descriptor.ts';
import type { Dialect } from '../error-kinds.ts';
import type { Session } from '../session.ts';
import { createTransport, type Transport } from '../transport.ts';
import type { SignIn } from './sign-in.ts';

type Application = Extract<Credential, { kind: 'entra' }>;

/** Azure DevOps itself, as Entra knows it, in every tenant. */
const SCOPE = '499b84ac-1321-427f-aa17-267ca6975798/.default';
const RENEW_BEFORE_END_MS = 300_000;

interface Held {
  readonly token: string;
  readonly since: Moment;
  readonly livesMs: number;
  accepted: boolean;
}

const createHolder = (): { held?: Held | undefined; renewal?: Promise<Held> | undefined } => ({});

const grantSchema = z.object({ access_token: z.string().min(1), expires_in: z.coerce.number().positive() });
const refusalSchema = z.object({ error: z.string() });

/** A wrong secret or application is 400 or 401 with one of OAuth's words. */
const entraDialect: Dialect = {
  kind: (status, data) => (status < 429 && refusalSchema.safeParse(data).success ? 'auth' : undefined),
};

export function createEntraSignIn(application: Application, transport: Transport): SignIn {
  const holder = transport.shared(createHolder);
  const authority = createTransport({ credentialId: transport.credentialId, origin: application.authorityUrl });

  const ask = async (session: Session): Promise<Held> => {
    const since = now();
    const call = { purpose: 'setup', deadlineMs: ASK_DEADLINE_MS, signal: session.signal } as const;
    const operation = { name: 'get a token from Entra', call, dialect: entraDialect };
    const grant = await authority.run(operation, (entra) => requestGrant(entra, application));
    transport.learnSecret(grant.access_token);
    return { token: grant.access_token, since, livesMs: grant.expires_in * 1000, accepted: false };
  };

  return {
    async header(session) {
      if (holder.held === undefined || isEnding(holder.held)) {
        holder.renewal ??= ask(session).finally(() => {
          holder.renewal = undefined;
        });
        holder.held = await holder.renewal.catch((error: unknown) => {
          throw error instanceof PlatformError ? refusedBefore(session, error) : error;
        });
      }
      return `Bearer ${holder.held.token}`;
    },
    heard(outcome) {
      const { held } = holder;
      if (held === undefined) return;
      if (outcome === 'accepted') held.accepted = true;
      else if (held.accepted) holder.held = undefined;
    },
  };
}

/** The operation that needs the token has its own deadline, which ends this too. */
const ASK_DEADLINE_MS = 30_000;

/** A token that lives for less than twice the margin is renewed half-way. */
function isEnding({ since, livesMs }: Held): boolean {
  return elapsedMs(since) > livesMs - Math.min(RENEW_BEFORE_END_MS, livesMs / 2);
}

async function requestGrant(entra: Session, application: Application): Promise<z.infer<typeof grantSchema>> {
  const { authorityUrl, tenantId, clientId, clientSecret } = application;
  const response = await entra.fetch(
    `${authorityUrl.replace(/\/+$/, '')}/${encodeURIComponent(tenantId)}/oauth2/v2.0/token`,
    {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded', accept: 'application/json' },
      body: new URLSearchParams({
        grant_type: 'client_credentials',
        client_id: clientId,
        client_secret: clientSecret,
        scope: SCOPE,
      }).toString(),
    },
  );
  const grant = grantSchema.safeParse(await response.json().catch(() => undefined));
  if (grant.success) return grant.data;
  throw entra.error('invalid-response', 'the answer holds no token');
}

/** The same failure as one of the operation that needed the token, and that has not written anything for it. */
function refusedBefore(session: Session, { kind, message, status, retryAfterMs }: PlatformError): PlatformError {
  return session.error(kind, message, {
    ...(status !== undefined && { status }),
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  });
}

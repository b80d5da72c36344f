/** Tokens of Microsoft Entra ID for an application, by the client credentials flow. */
import { z } from 'zod';
import type { Credential } from '../descriptor.ts';
import type { Dialect } from '../error-kinds.ts';
import type { Session } from '../session.ts';
import { createShortLivedToken, type ShortLivedToken } from '../short-lived-token.ts';
import { createTransport, type Transport } from '../transport.ts';

type Application = Extract<Credential, { kind: 'entra' }>;

/** Azure DevOps itself, as Entra knows it, in every tenant. */
const SCOPE = '499b84ac-1321-427f-aa17-267ca6975798/.default';

const grantSchema = z.object({ access_token: z.string().min(1), expires_in: z.coerce.number().positive() });
const refusalSchema = z.object({ error: z.string() });

/** A wrong secret or application is 400 or 401 with one of OAuth's words. */
const entraDialect: Dialect = {
  kind: (status, data) => (status < 429 && refusalSchema.safeParse(data).success ? 'auth' : undefined),
};

export function createEntraToken(application: Application, transport: Transport): ShortLivedToken {
  const { credentialId } = transport;
  const authority = createTransport({ credentialId, origin: application.authorityUrl });
  return createShortLivedToken(transport, async (call) => {
    const operation = { name: 'get a token from Entra', call, dialect: entraDialect };
    const grant = await authority.run(operation, (entra) => requestGrant(entra, application));
    return { token: grant.access_token, livesMs: grant.expires_in * 1000 };
  });
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
  return entra.read(grantSchema, await response.json().catch(() => undefined));
}

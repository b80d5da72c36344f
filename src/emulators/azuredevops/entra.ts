/** The token endpoint of Microsoft Entra ID, on the same server: `POST /{tenant}/oauth2/v2.0/token`. */
import type { Answer } from '../faults.ts';
import type { HttpRequest } from '../http-server.ts';
import type { Tokens } from './tokens.ts';

const AZURE_DEVOPS = '499b84ac-1321-427f-aa17-267ca6975798/.default';

export function answerTokenRequest(tokens: Tokens, { params, body }: HttpRequest): Answer {
  const form = new URLSearchParams(body);
  if (form.get('grant_type') !== 'client_credentials') {
    return answer(400, problem('unsupported_grant_type', 'AADSTS70003: The grant type is not supported.'));
  }
  if (form.get('scope') !== AZURE_DEVOPS) {
    return answer(400, problem('invalid_scope', 'AADSTS70011: The provided value for the scope is not valid.'));
  }
  const grant = tokens.grant({
    tenantId: params.tenant ?? '',
    clientId: form.get('client_id') ?? '',
    clientSecret: form.get('client_secret') ?? '',
  });
  if (grant === undefined) {
    return answer(401, problem('invalid_client', 'AADSTS7000215: Invalid client secret provided.'));
  }
  const { token, livesSeconds } = grant;
  return answer(200, {
    token_type: 'Bearer',
    expires_in: livesSeconds,
    ext_expires_in: livesSeconds,
    access_token: token,
  });
}

function problem(error: string, description: string) {
  return { error, error_description: description };
}

function answer(status: number, body: unknown): Answer {
  return { status, headers: { 'content-type': 'application/json; charset=utf-8' }, body: JSON.stringify(body) };
}

/**
 * Who is asking. Personal access tokens are passwords without a user (`Basic`); applications of Entra get bearer tokens
 * from the token endpoint, each with an end of its own. What a token may do has two sides, as on the real one: the
 * scopes of the token, and the permissions of the account behind it.
 */

export interface Rights {
  /** Whose token it is. Default: the id. */
  readonly login?: string;
  /** Scopes of the token: `write` is Work Items (Read & write), the default. */
  readonly scope?: 'read' | 'write';
  /** Whether the account may edit work items. Default true. */
  readonly canEdit?: boolean;
  /** Whether the account may create tags that the project does not have yet. Default true. */
  readonly canCreateTags?: boolean;
  /** Whether the account may view service hook subscriptions, as project administrators may. Default true. */
  readonly canViewHooks?: boolean;
}

export interface TokenOptions extends Rights {
  /** The secret itself. */
  readonly token: string;
}

export interface ApplicationOptions extends Rights {
  readonly tenantId: string;
  readonly clientId: string;
  readonly clientSecret: string;
  /** How long its tokens live. Default 3599, as Entra's. */
  readonly tokenLifeSeconds?: number;
}

export interface Token {
  /** How the ledger names it. */
  readonly id: string;
  readonly login: string;
  readonly scope: 'read' | 'write';
  readonly canEdit: boolean;
  readonly canCreateTags: boolean;
  readonly canViewHooks: boolean;
}

export type Identified =
  | { readonly kind: 'known'; readonly token: Token }
  | { readonly kind: 'expired' }
  | { readonly kind: 'wrong' }
  | { readonly kind: 'missing' };

export interface Grant {
  readonly token: string;
  readonly livesSeconds: number;
}

export interface Tokens {
  add(id: string, options: TokenOptions): void;
  /** Revokes: from now on the token is wrong. For an application: those that it has been given so far. */
  remove(id: string): void;
  /** A personal access token that has ended is not wrong: it is sent to the sign-in page. */
  expire(id: string): void;
  addApplication(id: string, options: ApplicationOptions): void;
  /** A new bearer token; undefined for an application that is not known, or a wrong secret. */
  grant(request: { tenantId: string; clientId: string; clientSecret: string }): Grant | undefined;
  identify(authorization: string | undefined): Identified;
}

interface Known {
  readonly token: Token;
  readonly scheme: 'basic' | 'bearer';
  endsAtMs: number;
}

export function createTokens(nowMs: () => number): Tokens {
  const bySecret = new Map<string, Known>();
  const applications = new Map<string, ApplicationOptions>();
  let granted = 0;

  const ofId = (id: string): [string, Known][] => [...bySecret].filter(([, known]) => known.token.id === id);

  return {
    add(id, options) {
      const endsAtMs = Number.POSITIVE_INFINITY;
      bySecret.set(options.token, { token: tokenOf(id, options), scheme: 'basic', endsAtMs });
    },
    remove(id) {
      for (const [secret] of ofId(id)) bySecret.delete(secret);
    },
    expire(id) {
      for (const [, known] of ofId(id)) known.endsAtMs = nowMs();
    },
    addApplication: (id, options) => void applications.set(id, options),
    grant({ tenantId, clientId, clientSecret }) {
      const found = [...applications].find(([, each]) => each.tenantId === tenantId && each.clientId === clientId);
      if (found === undefined || found[1].clientSecret !== clientSecret) return undefined;
      const [id, options] = found;
      const livesSeconds = options.tokenLifeSeconds ?? 3599;
      granted += 1;
      const secret = jwt({ sub: id, jti: granted });
      bySecret.set(secret, { token: tokenOf(id, options), scheme: 'bearer', endsAtMs: nowMs() + livesSeconds * 1000 });
      return { token: secret, livesSeconds };
    },
    identify(authorization) {
      const [scheme = '', value = ''] = (authorization ?? '').split(' ', 2);
      if (value === '') return { kind: 'missing' };
      const isBasic = scheme.toLowerCase() === 'basic';
      const known = bySecret.get(isBasic ? passwordIn(value) : value);
      if (known === undefined || (known.scheme === 'basic') !== isBasic) return { kind: 'wrong' };
      if (nowMs() < known.endsAtMs) return { kind: 'known', token: known.token };
      return { kind: isBasic ? 'expired' : 'wrong' };
    },
  };
}

function tokenOf(id: string, rights: Rights): Token {
  const { login = id, scope = 'write', canEdit = true, canCreateTags = true, canViewHooks = true } = rights;
  return { id, login, scope, canEdit, canCreateTags, canViewHooks };
}

function passwordIn(credentials: string): string {
  const text = Buffer.from(credentials, 'base64').toString();
  return text.slice(text.indexOf(':') + 1);
}

/** Of the form of a JWT; nobody checks its signature. */
function jwt(claims: object): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${part({ typ: 'JWT', alg: 'none' })}.${part(claims)}.c2ln`;
}

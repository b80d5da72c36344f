/** Who is asking: the tokens that the emulator knows, what each may see and change. */
import { hash } from 'node:crypto';

export interface TokenOptions {
  /** The secret itself. */
  readonly token: string;
  /** Whose token it is. Default: the id. */
  readonly login?: string;
  /** Without push access labels are dropped silently or refused, as GitHub does. Default true. */
  readonly canPush?: boolean;
  /** Full names of the only repositories that it sees; all when absent. */
  readonly repositories?: readonly string[];
  /** Of a classic token, said in every answer. A fine-grained one has none, and says nothing of what it may. */
  readonly scopes?: readonly string[];
  /** What a fine-grained token or an App may do to issues, whatever its account may. Default `write`. */
  readonly issues?: Permission;
  /**
   * The same for the webhooks of repositories. A classic token needs a scope for them besides. Default `write`: its account
   * owns the repository.
   */
  readonly webhooks?: Permission;
  /** It is an App's for one installation: there is no user behind it. */
  readonly isInstallation?: boolean;
  /** Wall clock of the server; it never ends when absent. */
  readonly expiresAtMs?: number;
}

export type Permission = 'none' | 'read' | 'write';

export interface Token {
  /** How the ledger names it. */
  readonly id: string;
  readonly login: string;
  readonly canPush: boolean;
  readonly scopes: readonly string[] | undefined;
  readonly issues: Permission;
  readonly webhooks: Permission;
  readonly isInstallation: boolean;
  /** What its ETags are made with: a renewed token of the same installation has other ones. */
  readonly etagSalt: string;
  sees(fullName: string): boolean;
}

export type Identified =
  | { readonly kind: 'known'; readonly token: Token }
  | { readonly kind: 'wrong' }
  | { readonly kind: 'missing' };

export interface Tokens {
  add(id: string, options: TokenOptions): void;
  /** Revokes: from now on the token is wrong. */
  remove(id: string): void;
  /** Reads an `Authorization` header: `Bearer`, `token` or `Basic` with the token as password. */
  identify(authorization: string | undefined): Identified;
}

export function createTokens(initial: Readonly<Record<string, TokenOptions>>, nowMs: () => number): Tokens {
  const bySecret = new Map<string, Token & { readonly expiresAtMs: number }>();
  const add = (id: string, options: TokenOptions): void => {
    const visible = options.repositories && new Set(options.repositories.map((name) => name.toLowerCase()));
    bySecret.set(options.token, {
      id,
      login: options.login ?? id,
      canPush: options.canPush ?? true,
      scopes: options.scopes,
      issues: options.issues ?? 'write',
      webhooks: options.webhooks ?? 'write',
      isInstallation: options.isInstallation ?? false,
      etagSalt: hash('sha256', options.token),
      expiresAtMs: options.expiresAtMs ?? Number.POSITIVE_INFINITY,
      sees: (fullName) => visible === undefined || visible.has(fullName.toLowerCase()),
    });
  };
  for (const [id, options] of Object.entries(initial)) add(id, options);
  return {
    add,
    remove(id) {
      for (const [secret, token] of bySecret) if (token.id === id) bySecret.delete(secret);
    },
    identify(authorization) {
      if (authorization === undefined || authorization === '') return { kind: 'missing' };
      const token = bySecret.get(secretIn(authorization));
      return token === undefined || token.expiresAtMs <= nowMs() ? { kind: 'wrong' } : { kind: 'known', token };
    },
  };
}

/** What stands in an `Authorization` header, whatever its scheme. */
export function secretIn(authorization: string): string {
  const [scheme = '', value = ''] = authorization.split(' ', 2);
  if (scheme.toLowerCase() !== 'basic') return value;
  const credentials = Buffer.from(value, 'base64').toString();
  return credentials.slice(credentials.indexOf(':') + 1);
}

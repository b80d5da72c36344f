/** Who is asking: the tokens that the emulator knows, their scopes, and what their owner may do in the projects. */

export type Scope = 'api' | 'read_api' | 'read_user' | 'read_repository';

/** GitLab's levels, as far as issues tell them apart. */
export const ACCESS_LEVELS = { none: 0, guest: 10, planner: 15, reporter: 20, developer: 30, maintainer: 40 } as const;

export interface TokenOptions {
  /** The secret itself. */
  readonly token: string;
  /** Whose token it is. Default: the id. Project and group tokens have a bot of their own, `project_7_bot_ab12`. */
  readonly login?: string;
  /** Default `api`. */
  readonly scopes?: readonly Scope[];
  /** In every project that it sees. Default `developer`. */
  readonly access?: keyof typeof ACCESS_LEVELS;
  /** Through what its owner is a member: GitLab does not tell of a group that the project was shared with. */
  readonly membership?: 'project' | 'group' | 'shared';
  /** Paths of the only projects that it sees, as for a project token; all when absent. */
  readonly projects?: readonly string[];
  /** An OAuth token works like a personal one but cannot be asked about itself. Default false. */
  readonly oauth?: boolean;
}

export interface Token {
  /** How the ledger names it. */
  readonly id: string;
  readonly login: string;
  readonly scopes: readonly Scope[];
  readonly accessLevel: number;
  readonly membership: 'project' | 'group' | 'shared';
  readonly oauth: boolean;
  sees(path: string): boolean;
}

export type Identified =
  | { readonly kind: 'known'; readonly token: Token }
  | { readonly kind: 'wrong' }
  | { readonly kind: 'revoked' }
  | { readonly kind: 'missing' };

export interface Tokens {
  add(id: string, options: TokenOptions): void;
  /** Revokes, as when it expires. */
  remove(id: string): void;
  /** Reads `Authorization: Bearer` or `PRIVATE-TOKEN`. */
  identify(headers: { readonly authorization?: string | undefined; readonly 'private-token'?: unknown }): Identified;
}

export function createTokens(initial: Readonly<Record<string, TokenOptions>>): Tokens {
  const bySecret = new Map<string, Token>();
  const revoked = new Set<string>();
  const add = (id: string, options: TokenOptions): void => {
    const visible = options.projects && new Set(options.projects.map((path) => path.toLowerCase()));
    bySecret.set(options.token, {
      id,
      login: options.login ?? id,
      scopes: options.scopes ?? ['api'],
      accessLevel: ACCESS_LEVELS[options.access ?? 'developer'],
      membership: options.membership ?? 'project',
      oauth: options.oauth ?? false,
      sees: (path) => visible === undefined || visible.has(path.toLowerCase()),
    });
  };
  for (const [id, options] of Object.entries(initial)) add(id, options);
  return {
    add,
    remove(id) {
      for (const [secret, token] of bySecret) if (token.id === id) revoked.add(secret);
    },
    identify({ authorization = '', 'private-token': privateToken }) {
      const secret = typeof privateToken === 'string' ? privateToken : /^bearer (.*)$/i.exec(authorization)?.[1];
      if (secret === undefined) return { kind: 'missing' };
      const token = bySecret.get(secret);
      if (token === undefined) return { kind: 'wrong' };
      return revoked.has(secret) ? { kind: 'revoked' } : { kind: 'known', token };
    },
  };
}

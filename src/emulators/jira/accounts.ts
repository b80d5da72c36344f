/** Who is asking: the accounts that the emulator knows, what each may see and change. */

export interface AccountOptions {
  /** API token on Cloud, personal access token on Data Center. */
  readonly token: string;
  /** Goes with the token on Cloud. Default `<id>@example.com`. */
  readonly email?: string;
  /** Account id on Cloud, name on Data Center. Default: the id. */
  readonly login?: string;
  /** Permission to edit issues. Default true. */
  readonly canEdit?: boolean;
  /** Permission to add comments. Default true. */
  readonly canComment?: boolean;
  /** Default false. */
  readonly isAdmin?: boolean;
  /** Keys of the only projects that it may browse; all when absent. */
  readonly projects?: readonly string[];
}

export interface Account {
  /** How the ledger names its token. */
  readonly id: string;
  readonly login: string;
  readonly email: string;
  readonly canEdit: boolean;
  readonly canComment: boolean;
  readonly isAdmin: boolean;
  sees(projectKey: string): boolean;
}

export type Identified =
  | { readonly kind: 'known'; readonly account: Account }
  | { readonly kind: 'wrong' }
  | { readonly kind: 'missing' };

export interface Accounts {
  add(id: string, options: AccountOptions): void;
  /** From now on its token is wrong. */
  remove(id: string): void;
  /** Reads an `Authorization` header. */
  identify(authorization: string | undefined): Identified;
}

export type Deployment = 'cloud' | 'data_center';

export function createAccounts(deployment: Deployment, initial: Readonly<Record<string, AccountOptions>>): Accounts {
  /** By the header that proves it: Cloud takes an address and a token, Data Center the token alone. */
  const byHeader = new Map<string, Account>();
  const headerOf = (email: string, token: string): string =>
    deployment === 'cloud' ? `Basic ${Buffer.from(`${email}:${token}`).toString('base64')}` : `Bearer ${token}`;

  const add = (id: string, options: AccountOptions): void => {
    const email = options.email ?? `${id}@example.com`;
    const visible = options.projects && new Set(options.projects);
    byHeader.set(headerOf(email, options.token), {
      id,
      login: options.login ?? id,
      email,
      canEdit: options.canEdit ?? true,
      canComment: options.canComment ?? true,
      isAdmin: options.isAdmin ?? false,
      sees: (projectKey) => visible === undefined || visible.has(projectKey),
    });
  };
  for (const [id, options] of Object.entries(initial)) add(id, options);

  return {
    add,
    remove(id) {
      for (const [header, account] of byHeader) if (account.id === id) byHeader.delete(header);
    },
    identify(authorization) {
      if (authorization === undefined || authorization === '') return { kind: 'missing' };
      const account = byHeader.get(authorization);
      return account === undefined ? { kind: 'wrong' } : { kind: 'known', account };
    },
  };
}

/** Whom Jira takes a failed login for, where it does not refuse it: somebody who sees nothing. */
export const ANONYMOUS: Account = {
  id: 'anonymous',
  login: 'anonymous',
  email: '',
  canEdit: false,
  canComment: false,
  isAdmin: false,
  sees: () => false,
};

/** One repository on our transport: what its operations share, whatever the credential. */
import type { Octokit } from '@octokit/rest';
import { z } from 'zod';
import type { TicketSource } from '../../domain/ticket.ts';
import { type Call, PlatformError } from '../contract.ts';
import type { ConnectOptions } from '../descriptor.ts';
import { nextLink } from '../next-link.ts';
import type { Session } from '../session.ts';
import { createGitHubApp, type GitHubApp } from './app-token.ts';
import { githubDialect } from './errors.ts';
import { openOctokit, type Signature } from './octokit.ts';

export interface GitHubClient {
  readonly source: TicketSource;
  /** @param name the operation in words, without the repository: `read ticket #7`. */
  run<T>(name: string, call: Call, work: (github: GitHubSession) => Promise<T>): Promise<T>;
  shared<T>(create: () => T): T;
}

export interface GitHubSession extends Session {
  /** Throws the `PlatformError` itself, or an error with status 304. */
  readonly octokit: Octokit;
  /** Only with a GitHub App as credential. */
  readonly app: AskingApp | undefined;
  readonly repository: Repository;
  /** The parameters that address an issue. */
  issue(id: string): Repository & { readonly issue_number: number };
}

/** The App itself, not its installation: it may ask about itself and nothing else. */
export interface AskingApp {
  readonly octokit: Octokit;
  readonly installationId: number;
}

type Repository = { readonly owner: string; readonly repo: string };

/** @throws PlatformError `unsupported` for a credential that GitHub does not know, `auth` for an App's that cannot be. */
export function createGitHubClient(options: Omit<ConnectOptions, 'tickets'>): GitHubClient {
  const { source, credential, transport } = options;
  const [owner = '', repo = ''] = source.container.split('/');
  const app = credential.kind === 'app' ? createGitHubApp(credential, source, transport) : undefined;
  const signatureOn = signing(options, app);
  return {
    source,
    shared: (create) => transport.shared(create),
    run(name, call, work) {
      return transport.run({ name: `${name} of ${source.container}`, call, dialect: githubDialect }, (session) =>
        work({
          ...session,
          octokit: openOctokit(session, source.apiUrl, signatureOn(session, call)),
          app: app && {
            octokit: openOctokit(session, source.apiUrl, { token: () => app.jwt(session) }),
            installationId: app.installationId,
          },
          repository: { owner, repo },
          issue(id) {
            if (!/^[1-9]\d{0,15}$/.test(id)) throw session.error('not-found', 'that is no issue number');
            return { owner, repo, issue_number: Number(id) };
          },
        }),
      );
    },
  };
}

function signing(
  { credential, source }: Pick<ConnectOptions, 'credential' | 'source'>,
  app: GitHubApp | undefined,
): (session: Session, call: Call) => Signature {
  if (app !== undefined)
    return (session, call) => ({ token: () => app.token.get(session, call), refused: app.token.drop });
  if (credential.kind === 'token') return () => ({ token: async () => credential.token });
  throw new PlatformError('unsupported', `connect ${source.container}: GitHub takes a token or a GitHub App`, {
    effect: 'none',
  });
}

/** The pages of a list, from `url` to the end. */
export async function* pagesOf<T>(github: GitHubSession, url: string, item: z.ZodType<T>): AsyncGenerator<T[]> {
  let next: string | undefined = url;
  while (next !== undefined) {
    const { data, headers }: { data: unknown; headers: { link?: string | undefined } } = await github.octokit.request({
      method: 'GET',
      url: next,
    });
    yield github.read(z.array(item), data);
    next = nextLink(github, headers.link, next);
  }
}

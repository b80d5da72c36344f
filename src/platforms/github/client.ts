/**
 * The real client library on our transport: an Octokit for each operation, so that everything it sends is under that
 * operation's deadline. Its plug-ins for retries and throttling are not installed: they resend writes and sleep through
 * an abort.
 */
import { Octokit } from '@octokit/rest';
import { z } from 'zod';
import type { TicketSource } from '../../domain/ticket.ts';
import { type Call, PlatformError } from '../contract.ts';
import type { ConnectOptions } from '../descriptor.ts';
import { nextLink } from '../next-link.ts';
import { platformErrorIn, type Session } from '../session.ts';
import { githubDialect } from './errors.ts';

export interface GitHubClient {
  readonly source: TicketSource;
  /** @param name the operation in words, without the repository: `read ticket #7`. */
  run<T>(name: string, call: Call, work: (github: GitHubSession) => Promise<T>): Promise<T>;
  shared<T>(create: () => T): T;
}

export interface GitHubSession extends Session {
  /** Throws the `PlatformError` itself, or an error with status 304. */
  readonly octokit: Octokit;
  readonly repository: Repository;
  /** The parameters that address an issue. */
  issue(id: string): Repository & { readonly issue_number: number };
  /** The data as `schema` describes it. */
  read<T>(schema: z.ZodType<T>, data: unknown): T;
}

type Repository = { readonly owner: string; readonly repo: string };

/** @throws PlatformError `unsupported` for a credential other than a token. */
export function createGitHubClient(options: Omit<ConnectOptions, 'tickets'>): GitHubClient {
  const { source, credential, transport } = options;
  if (credential.kind !== 'token') {
    throw new PlatformError('unsupported', `connect ${source.container}: GitHub takes a token here`, {
      effect: 'none',
    });
  }
  const [owner = '', repo = ''] = source.container.split('/');

  const octokitOn = ({ fetch }: Session): Octokit => {
    const octokit = new Octokit({
      auth: credential.token,
      baseUrl: source.apiUrl,
      userAgent: 'agent-smith',
      log: SILENT,
      request: { fetch, log: SILENT },
    });
    octokit.hook.error('request', (error) => {
      throw platformErrorIn(error) ?? error;
    });
    return octokit;
  };

  return {
    source,
    shared: (create) => transport.shared(create),
    run(name, call, work) {
      return transport.run({ name: `${name} of ${source.container}`, call, dialect: githubDialect }, (session) =>
        work({
          ...session,
          octokit: octokitOn(session),
          repository: { owner, repo },
          issue(id) {
            if (!/^[1-9]\d{0,15}$/.test(id)) throw session.error('not-found', 'that is no issue number');
            return { owner, repo, issue_number: Number(id) };
          },
          read(schema, data) {
            const result = schema.safeParse(data);
            if (result.success) return result.data;
            // The first of the problems will do: a list of a hundred wrong things has a hundred.
            const { path = [], message = '' } = result.error.issues[0] ?? {};
            throw session.error('invalid-response', `the answer is not GitHub's: ${[...path, message].join(': ')}`);
          },
        }),
      );
    },
  };
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

/** Every request is counted and every error thrown: what the library would print says nothing new. */
const SILENT = { debug() {}, info() {}, warn() {}, error() {} };

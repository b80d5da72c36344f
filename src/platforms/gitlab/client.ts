/**
 * The real client library on our transport: its resources opened anew for each operation, so that everything they send is
 * under that operation's deadline. The token goes as `Authorization`, because a `PRIVATE-TOKEN` header survives a redirect
 * to another host.
 */
import {
  IssueLabelEvents,
  IssueNotes,
  Issues,
  PersonalAccessTokens,
  ProjectHooks,
  ProjectLabels,
  Projects,
  Users,
} from '@gitbeaker/rest';
import { z } from 'zod';
import type { TicketSource } from '../../domain/ticket.ts';
import { type Call, PlatformError } from '../contract.ts';
import type { ConnectOptions } from '../descriptor.ts';
import type { Dialect } from '../error-kinds.ts';
import { nextIn } from '../next-link.ts';
import type { Session } from '../session.ts';
import { gitlabDialect } from './errors.ts';
import { createRequester } from './requester.ts';

export interface GitLabClient {
  readonly source: TicketSource;
  /**
   * @param name the operation in words, without the project: `read ticket #7`.
   * @param dialect where GitLab says something else than usual.
   */
  run<T>(name: string, call: Call, work: (gitlab: GitLabSession) => Promise<T>, dialect?: Dialect): Promise<T>;
  shared<T>(create: () => T): T;
}

export interface GitLabSession extends Session {
  /** Throw the `PlatformError` itself. A list is always one page: `page` tells where it goes on. */
  readonly api: Resources;
  /** Path of the project, `group/subgroup/project`. */
  readonly project: string;
  /** The number of an issue within its project. */
  iid(id: string): number;
  /** One page of a list, and where the next one begins. */
  page<T>(item: z.ZodType<T>, list: List, place: Place): Promise<Page<T>>;
  /**
   * Runs a write on the project by its path, or by its number once that path has become a former one: GitLab redirects
   * reads from there and refuses writes. The number is asked for each time, since another project may take the path.
   */
  write<T>(act: (project: string | number) => Promise<T>): Promise<T>;
}

type Resources = ReturnType<typeof openResources>;

/** Where a list goes on, as the link to its next page says: by number, or by cursor where it has a keyset. */
export interface Place {
  readonly page?: number | undefined;
  readonly cursor?: string | undefined;
}

export interface Page<T> {
  readonly items: readonly T[];
  readonly next: Place | undefined;
}

type List = (place: Place) => Promise<unknown>;

const IID = /^[1-9]\d{0,15}$/;
/** To a write by a former path; older versions redirect it. */
const MOVED = [405, 301];

const projectNumber = z.object({ id: z.int() });

/** @throws PlatformError `unsupported` for a credential other than a token. */
export function createGitLabClient(options: Omit<ConnectOptions, 'tickets'>): GitLabClient {
  const { source, credential, transport } = options;
  const project = source.container;
  if (credential.kind !== 'token') {
    throw new PlatformError('unsupported', `connect ${project}: GitLab takes a token here`, { effect: 'none' });
  }

  const open = (session: Session): GitLabSession => {
    let link: string | undefined;
    const requester = createRequester(session, (header) => (link = header));
    const api = openResources(source.apiUrl, credential.token, requester);
    const { read } = session;
    return {
      ...session,
      api,
      project,
      iid(id) {
        if (!IID.test(id)) throw session.error('not-found', 'that is no issue number');
        return Number(id);
      },
      async page(item, list, place) {
        const items = read(z.array(item), await list(place));
        return { items, next: placeIn(link) };
      },
      async write(act) {
        try {
          return await act(project);
        } catch (error) {
          if (!(error instanceof PlatformError) || !MOVED.includes(error.status ?? 0)) throw error;
          return act(read(projectNumber, await api.projects.show(project)).id);
        }
      },
    };
  };

  return {
    source,
    shared: (create) => transport.shared(create),
    run: (name, call, work, dialect = gitlabDialect) =>
      transport.run({ name: `${name} of ${project}`, call, dialect }, (session) => work(open(session))),
  };
}

/** The pages of a list, from its beginning to its end. */
export async function* pagesOf<T>(gitlab: GitLabSession, item: z.ZodType<T>, list: List): AsyncGenerator<readonly T[]> {
  let place: Place | undefined = {};
  while (place !== undefined) {
    const page: Page<T> = await gitlab.page(item, list, place);
    yield page.items;
    place = page.next;
  }
}

function openResources(apiUrl: string, token: string, requesterFn: ReturnType<typeof createRequester>) {
  // gitbeaker adds `/api/v4` itself, and would otherwise put a timer of its own beside our deadline.
  const options = { host: apiUrl.replace(/\/api\/v4$/, ''), oauthToken: token, requesterFn, queryTimeout: null };
  return {
    issues: new Issues(options),
    notes: new IssueNotes(options),
    labelEvents: new IssueLabelEvents(options),
    labels: new ProjectLabels(options),
    projects: new Projects(options),
    users: new Users(options),
    tokens: new PersonalAccessTokens(options),
    /** Its `requester` also for events of hooks, which gitbeaker has no methods for. */
    hooks: new ProjectHooks(options),
  };
}

/** Only the query of the link counts: behind a proxy, GitLab may believe to be at another address. */
function placeIn(link: string | undefined): Place | undefined {
  const query = URL.parse(nextIn(link) ?? '')?.searchParams;
  const page = query?.get('page');
  const cursor = query?.get('cursor');
  if (cursor !== null && cursor !== undefined) return { cursor };
  return page === null || page === undefined ? undefined : { page: Number(page) };
}

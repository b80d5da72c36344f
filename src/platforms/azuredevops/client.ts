/**
 * The real client library on our transport: a `WorkItemTrackingApi` for each operation whose HTTP client sends through
 * that operation's session. So it never sees a 404 or a sign-in page, which it would turn into `null`: they have been
 * thrown before. See docs/decisions/0013.
 */
import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { WorkItemTrackingApi } from 'azure-devops-node-api/WorkItemTrackingApi.js';
import { z } from 'zod';
import type { Ticket, TicketSource } from '../../domain/ticket.ts';
import { type Call, PlatformError } from '../contract.ts';
import type { ConnectOptions } from '../descriptor.ts';
import type { Session } from '../session.ts';
import { azureDevOpsDialect } from './errors.ts';
import { createSignIn } from './sign-in.ts';
import { type WorkItem, workItemIdSchema } from './work-item.ts';

export interface AzureDevOpsClient {
  readonly source: TicketSource;
  /** The team project that the source watches. */
  readonly project: string;
  /** What a ticket was read from, with its revision: a move that follows need not read it again. */
  readonly readFrom: WeakMap<Ticket, WorkItem>;
  /** @param name the operation in words, without the organisation: `read work item 7`. */
  run: RunOperation;
  /** The same for one that changes nothing, although its questions may be posted. */
  ask: RunOperation;
  shared<T>(create: () => T): T;
}

type RunOperation = <T>(name: string, call: Call, work: (azure: AzureDevOpsSession) => Promise<T>) => Promise<T>;

export interface AzureDevOpsSession extends Session {
  /** Throws the `PlatformError` itself. */
  readonly api: WorkItemTrackingApi;
  /** What a route answers that another part of the library knows. `path` begins at the collection: `_apis/projects`. */
  ask(path: string): Promise<unknown>;
  /** The id as the API takes it. */
  workItem(id: string): number;
}

const routesSchema = z.object({ value: z.array(z.object({ id: z.string(), routeTemplate: z.string() })) });

/** By URL: which routes a server has, in which versions. The library asks for them before everything else. */
const createKnownRoutes = (): Map<string, string> => new Map();

type Send = (url: string, init: RequestInit) => Promise<string>;

/** @throws PlatformError `unsupported` for a credential that Azure DevOps does not take. */
export function createAzureDevOpsClient(options: Omit<ConnectOptions, 'tickets'>): AzureDevOpsClient {
  const { source, transport } = options;
  const signIn = createSignIn(options);
  const knownRoutes = transport.shared(createKnownRoutes);

  /** Sends with the credential; answers the text of a usable answer. */
  const senderOn =
    (session: Session, call: Call): Send =>
    async (url, init) => {
      const authorization = await signIn.header(session, call);
      const headers = { ...(init.headers as Record<string, string>), authorization };
      try {
        const response = await session.fetch(url, { ...init, headers });
        return await response.text();
      } catch (error) {
        const refused = error instanceof PlatformError && error.kind === 'auth' && isSignInStatus(error.status);
        if (refused) signIn.refused(authorization);
        throw error;
      }
    };

  const routesAt = async (session: Session, send: Send, url: string, init: RequestInit): Promise<string> => {
    const known = knownRoutes.get(url);
    if (known !== undefined) return known;
    const routes = await send(url, init);
    session.read(routesSchema, parse(routes));
    knownRoutes.set(url, routes);
    return routes;
  };

  const apiOn = (session: Session, send: Send): WorkItemTrackingApi => {
    const api = new WorkItemTrackingApi(source.apiUrl, [], undefined, 'agent-smith');
    // Everything that the library sends goes through this one public method of its HTTP client.
    api.rest.client.request = async (method, url, data, headers) => {
      const init = {
        method,
        headers: { ...headers, 'user-agent': 'agent-smith' },
        ...(isText(data) && { body: data }),
      };
      const text = method === 'OPTIONS' ? await routesAt(session, send, url, init) : await send(url, init);
      return { message: okMessage(), readBody: () => Promise.resolve(text) };
    };
    return api;
  };

  const operate =
    (changesNothing: boolean): RunOperation =>
    (name, call, work) => {
      const operation = { name: `${name} of ${source.container}`, call, dialect: azureDevOpsDialect, changesNothing };
      return transport.run(operation, (session) => {
        const send = senderOn(session, call);
        return work({
          ...session,
          api: apiOn(session, send),
          ask: async (path) => parse(await send(`${source.apiUrl}/${path}`, { headers: PLAIN_HEADERS })),
          workItem(id) {
            const { success, data } = workItemIdSchema.safeParse(id);
            if (success) return data;
            throw session.error('not-found', 'that is no id of a work item');
          },
        }).catch((error: unknown) => {
          throw isMissingRoute(error) ? session.error('unsupported', 'this server has no such route') : error;
        });
      });
    };

  return {
    source,
    project: source.scope ?? '',
    readFrom: new WeakMap(),
    run: operate(false),
    ask: operate(true),
    shared: (create) => transport.shared(create),
  };
}

const PLAIN_HEADERS = { accept: 'application/json', 'user-agent': 'agent-smith' };

const isText = (data: unknown): data is string => typeof data === 'string';

/** The library asks an answer for nothing but its status and headers, and takes it for Node's own. */
function okMessage(): IncomingMessage {
  const message = new IncomingMessage(new Socket());
  message.statusCode = 200;
  return message;
}

/** Where the credential itself is refused; any other `auth` error is a right that is missing. */
const isSignInStatus = (status: number | undefined): boolean => status === 401 || status === 203 || status === 302;

/** An older server: the library knows its routes from the server itself. */
function isMissingRoute(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('Failed to find api location');
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // Whoever reads it says that it has not the shape.
  }
}

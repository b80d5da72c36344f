/**
 * The real client library on one operation of our transport, so that everything it sends is under that operation's
 * deadline. Its plug-ins for retries and throttling are not installed: they resend writes and sleep through an abort.
 */
import { Octokit } from '@octokit/rest';
import { platformErrorIn, type Session } from '../session.ts';

/** What a request is signed with, looked up when it is about to be sent. */
export interface Signature {
  token(): Promise<string>;
  /** GitHub answered 401 to a request with this token. */
  refused?(token: string): void;
}

/** Its calls throw the `PlatformError` itself, or an error with status 304. */
export function openOctokit(session: Session, apiUrl: string, signature: Signature): Octokit {
  const octokit = new Octokit({
    baseUrl: apiUrl,
    userAgent: 'agent-smith',
    log: SILENT,
    request: { fetch: session.fetch, log: SILENT },
  });
  octokit.hook.wrap('request', async (request, options) => {
    const token = await signature.token();
    options.headers.authorization = `Bearer ${token}`;
    try {
      return await request(options);
    } catch (error) {
      const failure = platformErrorIn(error);
      if (failure?.status === 401) signature.refused?.(token);
      throw failure ?? error;
    }
  });
  return octokit;
}

/** Every request is counted and every error thrown: what the library would print says nothing new. */
const SILENT = { debug() {}, info() {}, warn() {}, error() {} };

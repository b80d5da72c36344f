/**
 * gitbeaker's requests on our transport. Its own requester sends whatever is answered 429 or 502 ten times within a third
 * of a second, posts too, and cannot be told not to; this one sends every request once, through the session.
 */
import type { Issues } from '@gitbeaker/rest';
import type { Session } from '../session.ts';

/** What each of gitbeaker's resources is opened with. */
type ResourceOptions = NonNullable<ConstructorParameters<typeof Issues>[0]>;

export type Requester = NonNullable<ResourceOptions['requesterFn']>;

type Send = ReturnType<Requester>['get'];

type SendOptions = NonNullable<Parameters<Send>[1]>;

/** @param onLink told of the `Link` header of every answer; gitbeaker itself sees none, or it would walk all pages. */
export function createRequester(session: Session, onLink: (link: string | undefined) => void): Requester {
  return ({ url: base, authHeaders }) => {
    const send = (method: string): Send => {
      const once = async (endpoint: string, { searchParams = {}, body }: SendOptions = {}) => {
        const url = new URL(endpoint, base.endsWith('/') ? base : `${base}/`);
        for (const [name, value] of parametersOf(searchParams)) url.searchParams.set(name, String(value));
        const headers = new Headers({ 'user-agent': 'agent-smith' });
        for (const [name, value] of Object.entries(authHeaders)) headers.set(name, await value());
        if (body !== undefined) headers.set('content-type', 'application/json');
        const response = await session.fetch(url, {
          method,
          headers,
          ...(body !== undefined && { body: JSON.stringify(Object.fromEntries(parametersOf(body))) }),
        });
        onLink(response.headers.get('link') ?? undefined);
        // Not JSON is nothing to us: whoever reads the answer by its schema says what is wrong with it.
        return { body: await response.json().catch(() => undefined), headers: {}, status: response.status };
      };
      // gitbeaker's types promise the body that the documentation describes; here it is what came.
      return once as Send;
    };
    return { get: send('GET'), post: send('POST'), put: send('PUT'), patch: send('PATCH'), delete: send('DELETE') };
  };
}

/** gitbeaker speaks `perPage`, GitLab `per_page`. */
function parametersOf(options: object): [string, unknown][] {
  return Object.entries(options)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => [name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`), value]);
}

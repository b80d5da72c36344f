/**
 * An answer of a platform whose body has been read to the end, and what can be seen of it without knowing the platform.
 * Bodies are read here and not by the client libraries, so that the deadline and the size bound cover them too.
 */

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Uint8Array<ArrayBuffer>;
}

/** Reads the body to the end; undefined when it is larger than `maxBytes`: the connection is then closed. */
export async function readAnswer(response: Response, maxBytes: number): Promise<Answer | undefined> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length;
    if (bytes > maxBytes) return undefined;
    chunks.push(chunk);
  }
  return { status: response.status, headers: response.headers, body: Buffer.concat(chunks, bytes) };
}

/** The answer in the form that client libraries expect of `fetch`. */
export function toResponse(answer: Answer): Response {
  const headers = new Headers(answer.headers);
  // These two describe the bytes on the wire; ours are decoded.
  headers.delete('content-encoding');
  headers.delete('content-length');
  const hasBody = answer.status !== 204 && answer.status !== 205 && answer.status !== 304;
  return new Response(hasBody ? answer.body : null, { status: answer.status, headers });
}

/** Whether the answer is a page for people: a sign-in form, a proxy's block page, a load balancer's apology. */
export function isPage(answer: Answer): boolean {
  const type = answer.headers.get('content-type') ?? '';
  return /\bx?html\b/i.test(type) || startOf(answer.body).startsWith('<');
}

/** Whether the answer could be an API's own: JSON, or nothing at all. */
export function isJson(answer: Answer): boolean {
  return answer.body.length === 0 || /^[[{"]/.test(startOf(answer.body));
}

const startOf = (body: Uint8Array): string => new TextDecoder().decode(body.subarray(0, 64)).trimStart();

/** The body of a refusal as data; undefined when it is none. */
export function dataOf(answer: Answer): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(answer.body));
  } catch {
    return undefined; // A refusal without a readable body is still told by its status.
  }
}

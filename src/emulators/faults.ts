/**
 * Faults between a client and an emulator, injected per matcher. An emulator hands in its work as a function from
 * nothing to an answer; a fault decides whether the work is done at all, and how much of its answer gets out. So "the
 * write happened but the answer was lost" is the real write, really lost.
 *
 * Latencies that match add up and come first; then the oldest other fault that matches is played. A path is tested with
 * its query. Nothing here waits for ever: a hanging exchange ends when the client goes away or the emulator closes.
 */
import type { ServerResponse } from 'node:http';
import { unreachable } from '../foundation/errors.ts';
import { sleep } from '../foundation/loop.ts';
import type { Outcome } from './ledger.ts';

/** An HTTP answer as data. `content-length` is set on sending. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** Goes on after the body until it resolves, or the client goes away: a watch. Has no `content-length`. */
  readonly stream?: (out: AnswerStream) => Promise<void>;
}

export interface AnswerStream {
  write(text: string): void;
  /** Closes the connection in the middle of things. */
  cut(): void;
  /** Aborts when the connection is closed, by whichever side. */
  readonly gone: AbortSignal;
}

/** What a matcher sees of a request. */
export interface FaultTarget {
  readonly method: string;
  /** With the query. */
  readonly path: string;
  /** Id of the token; undefined when none or a wrong one was sent. */
  readonly token: string | undefined;
}

/** All given fields must match. */
export interface FaultMatcher {
  readonly method?: string;
  readonly path?: RegExp;
  readonly token?: string;
  /** How often the fault is played; until removed when absent. */
  readonly times?: number;
}

export type Fault =
  /** Instead of the work. The body is sent as it is when it is text, otherwise as JSON. */
  | {
      readonly kind: 'answer';
      readonly status: number;
      readonly body?: unknown;
      readonly headers?: Record<string, string>;
    }
  /** A page with status 200 instead of the work: a captive portal, a sign-in page. */
  | { readonly kind: 'html'; readonly body?: string }
  | { readonly kind: 'redirect'; readonly location: string; readonly status?: 301 | 302 | 303 | 307 | 308 }
  /** Never answers, never works. */
  | { readonly kind: 'hang' }
  | { readonly kind: 'latency'; readonly delayMs: number }
  /** Closes the connection without working. */
  | { readonly kind: 'cut' }
  /** Works, sends the head and half of the body, closes the connection. */
  | { readonly kind: 'cut-inside-body' }
  | { readonly kind: 'apply-then-cut' }
  | { readonly kind: 'apply-then-hang' }
  | {
      readonly kind: 'apply-then-answer';
      readonly status: number;
      readonly body?: unknown;
      readonly headers?: Record<string, string>;
    };

export interface InjectedFault {
  /** How often it was hit so far. */
  readonly hits: number;
  /** Resolves once it was hit `count` times (default 1), in the past or in the future; rejects when the signal aborts. */
  hit(options?: { count?: number; signal?: AbortSignal }): Promise<FaultTarget>;
  remove(): void;
}

/** How an exchange ended: what the ledger wants to know. */
export interface Delivery {
  readonly status: number | undefined;
  readonly outcome: Outcome;
  readonly fault: Fault['kind'] | undefined;
}

export interface Faults {
  inject(matcher: FaultMatcher, fault: Fault): InjectedFault;
  /** Removes every fault. */
  clear(): void;
  /** Carries out one exchange under the faults that match it. Calls `work` at most once. Rejects only if `work` throws. */
  exchange(target: FaultTarget, response: ServerResponse, work: () => Answer): Promise<Delivery>;
}

interface Injection {
  readonly matcher: FaultMatcher;
  readonly fault: Fault;
  readonly targets: FaultTarget[];
  readonly onHit: Set<() => void>;
}

export function createFaults(): Faults {
  const injections = new Set<Injection>();

  const take = (target: FaultTarget): Fault[] => {
    const taken: Fault[] = [];
    let decided = false;
    for (const injection of injections) {
      const isLatency = injection.fault.kind === 'latency';
      if ((decided && !isLatency) || !matches(injection.matcher, target)) continue;
      decided ||= !isLatency;
      taken.push(injection.fault);
      injection.targets.push(target);
      if (injection.targets.length === injection.matcher.times) injections.delete(injection);
      for (const notify of injection.onHit) notify();
    }
    return taken;
  };

  return {
    inject(matcher, fault) {
      const injection: Injection = { matcher, fault, targets: [], onHit: new Set() };
      injections.add(injection);
      return {
        get hits() {
          return injection.targets.length;
        },
        hit: ({ count = 1, signal } = {}) => waitForHit(injection, count, signal),
        remove: () => void injections.delete(injection),
      };
    },
    clear: () => injections.clear(),
    async exchange(target, response, work) {
      if (injections.size === 0) return { ...(await send(response, work())), fault: undefined };
      const taken = take(target);
      const delayMs = taken.reduce((sum, fault) => sum + (fault.kind === 'latency' ? fault.delayMs : 0), 0);
      const played = taken.find((fault) => fault.kind !== 'latency') ?? taken[0];
      if (delayMs > 0 && !(await sleep(delayMs, gone(response)))) {
        return { status: undefined, outcome: 'abandoned', fault: played?.kind };
      }
      return { ...(await play(played, response, work)), fault: played?.kind };
    },
  };
}

type Ending = Omit<Delivery, 'fault'>;

async function play(fault: Fault | undefined, response: ServerResponse, work: () => Answer): Promise<Ending> {
  switch (fault?.kind) {
    case undefined:
    case 'latency':
      return send(response, work());
    case 'answer':
      return send(response, answerOf(fault));
    case 'html':
      return send(response, htmlAnswer(fault.body ?? '<!doctype html><title>Sign in</title><h1>Sign in</h1>'));
    case 'redirect':
      return send(response, { status: fault.status ?? 302, headers: { location: fault.location }, body: '' });
    case 'hang':
      return hang(response, undefined);
    case 'cut':
      return cut(response, undefined);
    case 'cut-inside-body':
      return cutInsideBody(response, work());
    case 'apply-then-cut':
      return cut(response, work().status);
    case 'apply-then-hang':
      return hang(response, work().status);
    case 'apply-then-answer':
      work();
      return send(response, answerOf(fault));
    default:
      return unreachable(fault);
  }
}

function send(response: ServerResponse, answer: Answer): Ending | Promise<Ending> {
  if (response.destroyed) return { status: answer.status, outcome: 'abandoned' };
  if (answer.stream !== undefined) return stream(response, answer, answer.stream);
  response.writeHead(answer.status, headOf(answer)).end(answer.body);
  return { status: answer.status, outcome: 'answered' };
}

async function stream(
  response: ServerResponse,
  { status, headers, body }: Answer,
  follow: NonNullable<Answer['stream']>,
): Promise<Ending> {
  response.writeHead(status, headers);
  response.flushHeaders();
  if (body !== '') response.write(body);
  let outcome: Outcome = 'answered';
  const end = (): void => {
    outcome = 'cut';
    response.destroy();
  };
  await follow({ write: (text) => void response.write(text), cut: end, gone: gone(response) });
  if (outcome === 'answered' && response.destroyed) outcome = 'abandoned';
  response.end();
  return { status, outcome };
}

function cut(response: ServerResponse, status: number | undefined): Ending {
  response.destroy();
  return { status, outcome: 'cut' };
}

async function cutInsideBody(response: ServerResponse, answer: Answer): Promise<Ending> {
  const body = Buffer.from(answer.body);
  response.writeHead(answer.status, headOf(answer));
  // Waits until the half is out: destroying a socket throws away what it still holds.
  await new Promise((resolve) => response.write(body.subarray(0, Math.floor(body.length / 2)), resolve));
  return cut(response, answer.status);
}

async function hang(response: ServerResponse, status: number | undefined): Promise<Ending> {
  if (!response.destroyed) await new Promise((resolve) => response.once('close', resolve));
  return { status, outcome: 'abandoned' };
}

/** Aborts when the connection is closed, by whichever side. */
function gone(response: ServerResponse): AbortSignal {
  const controller = new AbortController();
  if (response.destroyed) controller.abort();
  else response.once('close', () => controller.abort());
  return controller.signal;
}

function headOf(answer: Answer): Record<string, string> {
  // Answers without a body by definition (RFC 9110) must not announce a length.
  const bare = answer.status === 204 || answer.status === 304;
  return bare ? answer.headers : { ...answer.headers, 'content-length': String(Buffer.byteLength(answer.body)) };
}

function answerOf(fault: { status: number; body?: unknown; headers?: Record<string, string> }): Answer {
  const isText = typeof fault.body === 'string';
  return {
    status: fault.status,
    headers: {
      'content-type': isText ? 'text/plain; charset=utf-8' : 'application/json; charset=utf-8',
      ...fault.headers,
    },
    body: isText ? String(fault.body) : JSON.stringify(fault.body ?? { message: 'injected fault' }),
  };
}

function htmlAnswer(body: string): Answer {
  return { status: 200, headers: { 'content-type': 'text/html; charset=utf-8' }, body };
}

function matches(matcher: FaultMatcher, target: FaultTarget): boolean {
  return (
    (matcher.method === undefined || matcher.method.toUpperCase() === target.method) &&
    (matcher.path === undefined || target.path.search(matcher.path) >= 0) &&
    (matcher.token === undefined || matcher.token === target.token)
  );
}

function waitForHit(injection: Injection, count: number, signal: AbortSignal | undefined): Promise<FaultTarget> {
  return new Promise((resolve, reject) => {
    const settle = (): boolean => {
      const target = injection.targets[count - 1];
      if (target === undefined && signal?.aborted !== true) return false;
      injection.onHit.delete(settle);
      signal?.removeEventListener('abort', settle);
      if (target === undefined) reject(signal?.reason as Error);
      else resolve(target);
      return true;
    };
    if (settle()) return;
    injection.onHit.add(settle);
    signal?.addEventListener('abort', settle);
  });
}

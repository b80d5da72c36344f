/** Answers in the form of the Kubernetes API: objects, and `Status` for everything that went wrong. */
import type { Answer } from '../faults.ts';

export function ok(body: unknown, status = 200): Answer {
  return { status, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
}

export function status(code: number, reason: string, message: string): Record<string, unknown> {
  return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', message, reason, code };
}

export function failure(code: number, reason: string, message: string): Answer {
  return ok(status(code, reason, message), code);
}

export function notFound(resource: string, name: string): Answer {
  return failure(404, 'NotFound', `${resource} "${name}" not found`);
}

export function invalid(kind: string, name: string, problems: readonly string[]): Answer {
  return failure(422, 'Invalid', `${kind} "${name}" is invalid: ${problems.join(', ')}`);
}

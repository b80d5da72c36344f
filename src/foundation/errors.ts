/** Errors are wrapped with the operation in words; the cause stays attached. */

/** An unexpected failure of `operation`, a phrase such as "read ticket org/repo#7". */
export class OperationError extends Error {
  constructor(operation: string, cause: unknown) {
    super(`${operation}: ${messageOf(cause)}`, { cause });
    this.name = 'OperationError';
  }
}

/** The one-line message of anything thrown. */
export function messageOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') return error.errors.map(messageOf).join('; ');
  if (error instanceof Error) return error.message;
  return String(error);
}

/** Makes forgetting a case a compile error, and an impossible value at run time a clear one. */
export function unreachable(value: never): never {
  throw new Error(`unexpected value: ${JSON.stringify(value)}`);
}

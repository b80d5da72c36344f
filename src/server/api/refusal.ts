/** An API request that is answered with something else than what it asked for. */

export interface FieldProblem {
  readonly field: string;
  readonly problem: string;
}

export class Refusal extends Error {
  readonly status: number;
  readonly body: object;

  private constructor(status: number, error: string, more: object = {}) {
    super(error);
    this.name = 'Refusal';
    this.status = status;
    this.body = { error, ...more };
  }

  static badRequest(problems: readonly FieldProblem[]): Refusal {
    return new Refusal(400, 'bad request', { problems });
  }

  static unauthorized(): Refusal {
    return new Refusal(401, 'unauthorized');
  }

  static notFound(detail?: string): Refusal {
    return new Refusal(404, 'not found', { detail });
  }

  static conflict(detail: string): Refusal {
    return new Refusal(409, 'conflict', { detail });
  }

  /** Nothing was done; the same request may be sent again. */
  static comeAgain(error: 'redis_unavailable' | 'inbox_full'): Refusal {
    return new Refusal(503, error);
  }
}

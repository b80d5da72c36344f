/**
 * The limits of Azure DevOps: first answers come late and say so, then they are refused. What is set here is set by hand,
 * for one token or for all; nothing is counted.
 */

export interface Pressure {
  /** Id of the token; all when absent. */
  readonly token?: string;
  /** How many answers; until removed when absent. */
  readonly times?: number;
  /** Sent as `X-RateLimit-Delay`: how long the answer was held up. */
  readonly delaySeconds?: number;
  /** Sent as `Retry-After`, on a 200 too. */
  readonly retryAfterSeconds?: number;
  /** What is left of the 200 units of five minutes. */
  readonly remaining?: number;
}

export interface Limits {
  /** From now on good answers come with these headers. Returns how to stop it. */
  press(pressure: Pressure): () => void;
  /** The headers of a good answer to this token; counts it. */
  headers(token: string): Record<string, string>;
}

export function createLimits(nowMs: () => number): Limits {
  const pressures = new Map<Pressure, number>();
  return {
    press(pressure) {
      pressures.set(pressure, 0);
      return () => void pressures.delete(pressure);
    },
    headers(token) {
      const found = [...pressures].find(([pressure]) => (pressure.token ?? token) === token);
      if (found === undefined) return {};
      const [pressure, used] = found;
      if (used + 1 === pressure.times) pressures.delete(pressure);
      else pressures.set(pressure, used + 1);
      return limitHeaders(pressure, nowMs());
    },
  };
}

export function limitHeaders(pressure: Omit<Pressure, 'token' | 'times'>, atMs: number): Record<string, string> {
  const { delaySeconds, retryAfterSeconds, remaining = 0 } = pressure;
  return {
    'x-ratelimit-resource': 'Core',
    'x-ratelimit-limit': '200',
    'x-ratelimit-remaining': String(remaining),
    'x-ratelimit-reset': String(Math.ceil(atMs / 1000) + 300),
    ...(delaySeconds !== undefined && { 'x-ratelimit-delay': String(delaySeconds) }),
    ...(retryAfterSeconds !== undefined && { 'retry-after': String(retryAfterSeconds) }),
  };
}

/** How long records live. With `noeviction` in Redis anything that grew without bound would end in a full stop. */
const DAY_MS = 86_400_000;

export const RUN_TTL_MS = 30 * DAY_MS;
export const TICKET_TTL_MS = 90 * DAY_MS;
export const OUTPUT_TTL_MS = 7 * DAY_MS;
/** Platforms send a failed delivery again for up to seven days. */
export const DELIVERY_TTL_MS = 14 * DAY_MS;
export const MOST_DELIVERIES = 100_000;
export const MOST_DECISIONS = 100_000;

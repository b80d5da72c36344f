/** A fault in JSON, as the control server takes it: `{"match": {"path": "issues", "times": 2}, "fault": {"kind": "cut"}}`. */
import { z } from 'zod';
import type { Fault, FaultMatcher } from './faults.ts';

const status = z.number().int().min(200).max(599);
const answer = {
  status,
  /** Text is sent as it is, anything else as JSON. */
  body: z.unknown().exactOptional(),
  headers: z.record(z.string(), z.string()).exactOptional(),
};

const fault: z.ZodType<Fault> = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('answer'), ...answer }),
  z.strictObject({ kind: z.literal('html'), body: z.string().exactOptional() }),
  z.strictObject({
    kind: z.literal('redirect'),
    location: z.string().min(1),
    status: z.literal([301, 302, 303, 307, 308]).exactOptional(),
  }),
  z.strictObject({ kind: z.literal('hang') }),
  z.strictObject({ kind: z.literal('latency'), delayMs: z.number().int().min(0).max(600_000) }),
  z.strictObject({ kind: z.literal('cut') }),
  z.strictObject({ kind: z.literal('cut-inside-body') }),
  z.strictObject({ kind: z.literal('apply-then-cut') }),
  z.strictObject({ kind: z.literal('apply-then-hang') }),
  z.strictObject({ kind: z.literal('apply-then-answer'), ...answer }),
]);

const pattern = z.string().transform((text, context) => {
  try {
    return new RegExp(text, 'i');
  } catch (error) {
    context.addIssue({ code: 'custom', message: error instanceof Error ? error.message : 'is no regular expression' });
    return z.NEVER;
  }
});

const match: z.ZodType<FaultMatcher> = z.strictObject({
  method: z.string().exactOptional(),
  /** A regular expression, tried on path and query without regard to letter case. */
  path: pattern.exactOptional(),
  token: z.string().exactOptional(),
  times: z.number().int().min(1).exactOptional(),
});

export const faultRequest = z.strictObject({ match: match.default({}), fault });

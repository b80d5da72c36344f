/** What may be asked of the API: query strings and bodies, checked before anything is looked up. */
import { z } from 'zod';
import { DELIVERY_STATES } from '../../domain/delivery.ts';
import { TRIGGERS } from '../../domain/project.ts';
import { RUN_STATES } from '../../domain/run.ts';
import type { Cursor } from '../../runs/page.ts';
import { type FieldProblem, Refusal } from './refusal.ts';

const DELIVERY_NAME = /^[A-Za-z0-9._:-]{1,500}$/;
const CURSOR = /^(\d{1,15})~([A-Za-z0-9._:-]{1,500})$/;

const name = z.string().min(1).max(200);
const ticket = z.string().min(1).max(1_000);

const page = {
  limit: z.coerce.number().int().min(1).max(200).default(50),
  before: z
    .string()
    .regex(CURSOR, 'not the `next` of a page')
    .transform((text): Cursor => {
      const [, atMs, id = ''] = CURSOR.exec(text) ?? [];
      return { atMs: Number(atMs), id };
    })
    .optional(),
};

export const deliveriesQuestion = z.strictObject({
  ...page,
  state: z.enum(DELIVERY_STATES).optional(),
  platform: name.optional(),
});
export const deliveryPath = z.strictObject({ name: z.string().regex(DELIVERY_NAME) });
export const runsQuestion = z.strictObject({ ...page, state: z.enum(RUN_STATES).optional(), project: name.optional() });
export const runPath = z.strictObject({ id: z.string().regex(/^[0-9A-Z]{26}$/) });
/** `by` stands in the closing comment: words, and nothing that a tracker would take for markup. */
export const cancelQuestion = z.strictObject({
  by: z
    .string()
    // An @ that follows anything but a word would mention somebody.
    .regex(
      /^[\p{L}\p{N}](?:[\p{L}\p{N} .-]|(?<=[\p{L}\p{N}])@(?=[\p{L}\p{N}])){0,99}$/u,
      'letters, digits, spaces and .- only, and @ between two of them; at most 100',
    )
    .default('a request to the API'),
});
export const runQuestion = z.strictObject({ output: z.enum(['0', '1']).optional() });
export const claimQuestion = z.strictObject({
  project: name,
  ticket: z.union([ticket, z.int().positive().transform(String)]),
});
export const explainQuestion = z.strictObject({ project: name, ticket, trigger: z.enum(TRIGGERS).optional() });
export const nothing = z.strictObject({});

/** A cursor as the `next` of a page shows it. */
export function cursorText({ atMs, id }: Cursor): string {
  return `${atMs}~${id}`;
}

/** @throws Refusal that names each field that is wrong. */
export function checked<T>(schema: z.ZodType<T>, given: unknown): T {
  const result = schema.safeParse(given);
  if (result.success) return result.data;
  throw Refusal.badRequest(result.error.issues.flatMap(problemsOf));
}

/** The part of a path that names a record. @throws Refusal: what no record can be called is not there. */
export function named<T>(schema: z.ZodType<T>, params: unknown): T {
  const result = schema.safeParse(params);
  if (result.success) return result.data;
  throw Refusal.notFound();
}

function problemsOf(issue: z.core.$ZodIssue): FieldProblem[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((field) => ({ field, problem: 'no such field' }));
  }
  return [{ field: issue.path.join('.') || 'body', problem: issue.message }];
}

/** From zod's issues to problems in our words: one per unknown key, with a suggestion, and never with a value. */
import { z } from 'zod';
import { unreachable } from '../foundation/errors.ts';
import { type Path, type Problem, suggestion } from './problems.ts';

type Issue = z.core.$ZodIssue;

/** Checks a value. Problem paths begin with `prefix`. */
export function checkAgainst<T extends z.ZodType>(
  schema: T,
  value: unknown,
  prefix: Path = [],
): { readonly value?: z.output<T>; readonly problems: readonly Problem[] } {
  const result = schema.safeParse(value, { reportInput: true });
  if (result.success) return { value: result.data, problems: [] };
  const problems = result.error.issues.flatMap((issue) => describeIssue(issue, schema));
  return { problems: problems.map(({ path, message }) => ({ path: [...prefix, ...path], message })) };
}

function describeIssue(issue: Issue, schema: z.ZodType): Problem[] {
  const path = issue.path.map((step) => (typeof step === 'symbol' ? String(step) : step));
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => ({
        path: [...path, key],
        message: `unknown key${suggestion(key, keysAllowedAt(schema, path))}`,
      }));
    case 'invalid_union':
      return describeUnion(issue, path, schema);
    case 'invalid_key':
      return [{ path, message: `the key ${issue.issues[0]?.message ?? 'is not allowed here'}` }];
    case 'invalid_value':
      return [{ path, message: describeChoice(issue) }];
    case 'invalid_type':
      return [{ path, message: describeType(issue.expected, issue.input) }];
    case 'too_small':
      return [{ path, message: isMeasured(issue.origin) ? 'must not be empty' : `must be at least ${issue.minimum}` }];
    case 'too_big':
      return [{ path, message: `must be at most ${issue.maximum}${isMeasured(issue.origin) ? ' long' : ''}` }];
    case 'invalid_format':
    case 'invalid_element':
    case 'not_multiple_of':
    case 'custom':
      return [{ path, message: issue.message }];
    default:
      return unreachable(issue);
  }
}

/** The branch that fits the kind of value that was written says best what is wrong with it. */
function describeUnion(issue: z.core.$ZodIssueInvalidUnion, path: Path, schema: z.ZodType): Problem[] {
  if (issue.input === undefined) return [{ path, message: 'is missing' }];
  const branches = issue.errors.filter((errors) => !errors.some(isAboutTheWhole));
  const best = branches.toSorted((a, b) => weight(a) - weight(b))[0];
  if (best === undefined)
    return [{ path, message: issue.errors.flat().find((e) => e.code === 'invalid_value')?.message ?? issue.message }];
  return best.flatMap((inner) => describeIssue({ ...inner, path: [...issue.path, ...inner.path] }, schema));
}

const isAboutTheWhole = (issue: Issue): boolean => issue.path.length === 0 && issue.code !== 'unrecognized_keys';

/** How far a value is from a branch: unknown keys weigh more, so that `{email}` is told about `token`. */
function weight(issues: readonly Issue[]): number {
  return issues.reduce((sum, issue) => sum + (issue.code === 'unrecognized_keys' ? 3 * issue.keys.length : 1), 0);
}

function describeChoice(issue: z.core.$ZodIssueInvalidValue): string {
  const values = issue.values.map(String);
  if (issue.input === undefined) return 'is missing';
  if (values.length === 1) return issue.message;
  return `must be one of ${values.join(', ')}${typeof issue.input === 'string' ? suggestion(issue.input, values) : ''}`;
}

const KIND_IN_WORDS: Readonly<Record<string, string>> = {
  object: 'a mapping',
  record: 'a mapping',
  array: 'a list',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
};

function describeType(expected: string, input: unknown): string {
  if (input === undefined) return 'is missing';
  if (expected === 'string') {
    return typeof input === 'object' ? 'must be text' : 'must be text: put it in quotes';
  }
  return `must be ${KIND_IN_WORDS[expected] ?? expected}`;
}

function isMeasured(origin: string): boolean {
  return origin === 'string' || origin === 'array';
}

/** The keys that the schema knows at a path. */
function keysAllowedAt(schema: z.ZodType, path: Path): string[] {
  let reached = unwrap(schema);
  for (const step of path) reached = reached.flatMap((inner) => stepInto(inner, step)).flatMap(unwrap);
  return reached.flatMap((inner) => (inner instanceof z.ZodObject ? Object.keys(inner.shape) : []));
}

function stepInto(schema: z.core.$ZodType, step: string | number): z.core.$ZodType[] {
  if (schema instanceof z.ZodObject) {
    const field: unknown = schema.shape[step];
    return field instanceof z.ZodType ? [field] : [];
  }
  if (schema instanceof z.ZodRecord) return [schema.valueType];
  return schema instanceof z.ZodArray ? [schema.element] : [];
}

/** What is behind optional, default and preprocess; every branch of a union. */
function unwrap(schema: z.core.$ZodType): z.core.$ZodType[] {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault) return unwrap(schema.unwrap());
  if (schema instanceof z.ZodPipe) return unwrap(schema.out);
  return schema instanceof z.ZodUnion ? schema.options.flatMap(unwrap) : [schema];
}

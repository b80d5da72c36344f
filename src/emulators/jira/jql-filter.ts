/** What a parsed query means for an issue, with Jira's own surprises: what has no labels is never "not labelled so". */
import { unreachable } from '../../foundation/errors.ts';
import { type Condition, type Operator, type OrderTerm } from './jql.ts';
import { JqlError } from './jql-tokens.ts';
import type { Entry } from './search-index.ts';
import type { Issue, StatusCategory } from './state.ts';

/** What a query is read against. */
export interface FilterContext {
  readonly nowMs: number;
  /** The present key of the project that has, or had, this one; undefined when it may not be browsed. */
  presentKey(projectKey: string): string | undefined;
  /** An issue by its key or id, if it may be browsed. */
  find(idOrKey: string): Issue | undefined;
}

export type Filter = (entry: Entry) => boolean;

type Comparison = Extract<Condition, { kind: 'compare' }>;

const STATUS_CATEGORIES: Readonly<Record<string, StatusCategory>> = {
  new: 'new',
  'to do': 'new',
  indeterminate: 'indeterminate',
  'in progress': 'indeterminate',
  done: 'done',
  complete: 'done',
};
const UNITS_MS: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };

/** @throws JqlError for a field, an operator or a value that is not there. */
export function filterOf(condition: Condition, context: FilterContext): Filter {
  switch (condition.kind) {
    case 'and': {
      const parts = condition.parts.map((part) => filterOf(part, context));
      return (entry) => parts.every((part) => part(entry));
    }
    case 'or': {
      const parts = condition.parts.map((part) => filterOf(part, context));
      return (entry) => parts.some((part) => part(entry));
    }
    case 'not': {
      const part = filterOf(condition.part, context);
      return (entry) => !part(entry);
    }
    case 'compare':
      return comparison(condition, context);
    default:
      return unreachable(condition);
  }
}

/** Sorts entries; without terms by key, as Jira does in the end. */
export function comparatorOf(terms: readonly OrderTerm[]): (a: Entry, b: Entry) => number {
  const ways = [...terms, { field: 'key', descending: false }].map(({ field, descending }) => {
    const compare = compareBy(field);
    return (a: Entry, b: Entry) => (descending ? compare(b, a) : compare(a, b));
  });
  return (a, b) => ways.map((way) => way(a, b)).find((result) => result !== 0) ?? 0;
}

function comparison(clause: Comparison, context: FilterContext): Filter {
  switch (clause.field) {
    case 'labels':
      return labels(clause);
    case 'project':
      return project(clause, context);
    case 'statuscategory':
      return statusCategory(clause);
    case 'updated':
    case 'created':
      return date(clause, context.nowMs);
    case 'id':
    case 'key':
    case 'issue':
    case 'issuekey':
      return identity(clause, context);
    default:
      throw new JqlError(`Field '${clause.field}' does not exist or you do not have permission to view it.`);
  }
}

function labels(clause: Comparison): Filter {
  const { operator, values } = clause;
  const hasOne: Filter = (entry) => values.some((value) => entry.labels.has(value));
  switch (operator) {
    case '=':
    case 'in':
      return hasOne;
    case '!=':
    case 'not in':
      return (entry) => entry.labels.size > 0 && !hasOne(entry);
    case 'is':
      return (entry) => entry.labels.size === 0;
    case 'is not':
      return (entry) => entry.labels.size > 0;
    case '>':
    case '>=':
    case '<':
    case '<=':
      throw unsupported(clause);
    default:
      return unreachable(operator);
  }
}

function project(clause: Comparison, context: FilterContext): Filter {
  const keys = new Set(clause.values.map((value) => context.presentKey(value)));
  const unknown = clause.values.find((value) => context.presentKey(value) === undefined);
  if (unknown !== undefined) throw new JqlError(`The value '${unknown}' does not exist for the field 'project'.`);
  return either(clause, (entry) => keys.has(entry.project));
}

function statusCategory(clause: Comparison): Filter {
  const wanted = new Set(
    clause.values.map((value) => {
      const category = STATUS_CATEGORIES[value.toLowerCase()];
      if (category === undefined)
        throw new JqlError(`The value '${value}' does not exist for the field 'statusCategory'.`);
      return category;
    }),
  );
  return either(clause, (entry) => wanted.has(entry.status));
}

/** `-10m`, `-2h`, `-3d`, `-1w`: relative to now. */
function date(clause: Comparison, nowMs: number): Filter {
  const [value = ''] = clause.values;
  const [, sign, amount, unit = ''] = /^([+-]?)(\d+)([mhdw])$/.exec(value) ?? [];
  const unitMs = UNITS_MS[unit];
  if (unitMs === undefined) {
    throw new JqlError(
      `Date value '${value}' for field '${clause.field}' is invalid: the emulator reads relative ones only.`,
    );
  }
  const limitMs = nowMs + (sign === '-' ? -1 : 1) * Number(amount) * unitMs;
  const timeOf = (entry: Entry): number => (clause.field === 'updated' ? entry.updatedAtMs : entry.issue.createdAtMs);
  return relation(clause, (entry) => timeOf(entry) - limitMs);
}

/** By key or id. Greater and less are by the number within the project of that issue. */
function identity(clause: Comparison, context: FilterContext): Filter {
  const issues = clause.values.map((value) => {
    const issue = context.find(value);
    if (issue === undefined)
      throw new JqlError(`An issue with key '${value}' does not exist for field '${clause.field}'.`);
    return issue;
  });
  const [first] = issues;
  if (first === undefined || ['=', '!=', 'in', 'not in'].includes(clause.operator)) {
    const ids = new Set(issues.map(({ id }) => id));
    return either(clause, (entry) => ids.has(entry.issue.id));
  }
  const compare = relation(clause, (entry) => entry.number - first.number);
  return (entry) => entry.project === first.project.key && compare(entry);
}

/** For fields that always have one value. */
function either({ operator, field }: Pick<Comparison, 'operator' | 'field'>, matches: Filter): Filter {
  if (operator === '=' || operator === 'in') return matches;
  if (operator === '!=' || operator === 'not in') return (entry) => !matches(entry);
  throw unsupported({ operator, field });
}

function relation(clause: Comparison, difference: (entry: Entry) => number): Filter {
  const holds = RELATIONS[clause.operator];
  if (holds === undefined) throw unsupported(clause);
  return (entry) => holds(difference(entry));
}

const RELATIONS: Partial<Record<Operator, (difference: number) => boolean>> = {
  '>': (difference) => difference > 0,
  '>=': (difference) => difference >= 0,
  '<': (difference) => difference < 0,
  '<=': (difference) => difference <= 0,
};

function compareBy(field: string): (a: Entry, b: Entry) => number {
  switch (field) {
    case 'created':
      return (a, b) => a.issue.createdAtMs - b.issue.createdAtMs;
    case 'updated':
      return (a, b) => a.updatedAtMs - b.updatedAtMs;
    case 'id':
    case 'key':
    case 'issue':
    case 'issuekey':
      return (a, b) => (a.project === b.project ? a.number - b.number : a.project < b.project ? -1 : 1);
    default:
      throw new JqlError(`Not able to sort using field '${field}'.`);
  }
}

function unsupported({ operator, field }: Pick<Comparison, 'operator' | 'field'>): JqlError {
  return new JqlError(`The operator '${operator}' is not supported by the '${field}' field.`);
}

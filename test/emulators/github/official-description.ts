/**
 * The official OpenAPI description as a judge of answers. It is OpenAPI 3.0, whose `nullable` JSON Schema does not know,
 * so that is rewritten; and its objects are closed, so that a field which GitHub does not have is found too.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { Ajv } from 'ajv';
import addFormats from 'ajv-formats';

/** Both are emulated at once: what only one of them knows would be a lie towards the other. */
export type Edition = 'api.github.com' | 'ghes-3.19';

interface Operation {
  readonly operationId: string;
  readonly responses: Record<string, unknown>;
}

interface Description {
  readonly paths: Record<string, Record<string, Operation>>;
  readonly components: Record<string, unknown>;
}

export interface Judge {
  /** Whether the operation documents this status. */
  documents(operation: string, status: number): boolean;
  /** What is wrong with the body, as text; empty when it is as described. Undocumented statuses are judged as errors. */
  problems(operation: string, status: number, body: unknown): string;
}

export function loadJudge(edition: Edition): Judge {
  const file = createRequire(import.meta.url).resolve(`@octokit/openapi/generated/${edition}.json`);
  const description = JSON.parse(readFileSync(file, 'utf8')) as Description;
  const operations = new Map(
    Object.values(description.paths).flatMap((methods) =>
      Object.values(methods).map((operation) => [operation.operationId, operation] as const),
    ),
  );
  const ajv = new Ajv({ strict: false, allErrors: true, validateSchema: false });
  addFormats.default(ajv);
  ajv.addFormat('timestamp', true);
  ajv.addSchema({ $id: 'github', components: toJsonSchema(description.components) });

  const schemaOf = (operation: string, status: number): unknown => {
    const response = dereference(description, operations.get(operation)?.responses[String(status)]);
    const documented = at(at(at(response, 'content'), 'application/json'), 'schema');
    if (documented !== undefined) return toJsonSchema(documented);
    return status >= 300 ? { $ref: 'github#/components/schemas/basic-error' } : undefined;
  };

  return {
    documents: (operation, status) => at(operations.get(operation)?.responses, String(status)) !== undefined,
    problems(operation, status, body) {
      const schema = schemaOf(operation, status);
      if (schema === undefined || status === 304) return body === undefined ? '' : `no body is described for ${status}`;
      if (body === undefined) return `a body is described for ${status}`;
      const validate = ajv.compile(schema as object);
      return validate(body) ? '' : ajv.errorsText(validate.errors, { separator: '\n' });
    },
  };
}

function dereference(description: Description, value: unknown): unknown {
  const ref = at(value, '$ref');
  if (typeof ref !== 'string') return value;
  return ref.slice(2).split('/').reduce<unknown>(at, description);
}

function at(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : undefined;
}

/** Below `allOf` nothing is closed: there every part knows only its own fields. */
function toJsonSchema(value: unknown, isPart = false): unknown {
  if (Array.isArray(value)) return value.map((item) => toJsonSchema(item, isPart));
  if (typeof value !== 'object' || value === null) return value;
  const { nullable, ...rest } = value as Record<string, unknown>;
  const schema = Object.fromEntries(
    Object.entries(rest).map(([key, item]) => {
      if (key === '$ref' && typeof item === 'string') return [key, `github${item}`];
      return [key, toJsonSchema(item, key === 'allOf')];
    }),
  );
  const isObject = schema.type === 'object' && typeof schema.properties === 'object';
  if (isObject && !isPart && !('additionalProperties' in schema)) schema.additionalProperties = false;
  if (nullable !== true) return schema;
  if (Array.isArray(schema.enum)) schema.enum = [...schema.enum, null];
  if (typeof schema.type === 'string') return { ...schema, type: [schema.type, 'null'] };
  return { anyOf: [schema, { type: 'null' }] };
}

/**
 * The official description of webhooks as a judge of deliveries. It is OpenAPI 3.1, whose schemas are JSON Schema as they
 * are; its objects are closed, so that a field which GitHub does not send is found too.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { z } from 'zod';

const descriptionSchema = z.object({
  webhooks: z.record(
    z.string(),
    z.object({
      post: z.object({
        operationId: z.string(),
        parameters: z.array(z.object({ name: z.string(), required: z.boolean().default(false) })).default([]),
        requestBody: z.object({ content: z.object({ 'application/json': z.object({ schema: z.unknown() }) }) }),
      }),
    }),
  ),
  components: z.unknown(),
});

export interface WebhookJudge {
  /** Names of the headers that every delivery of this kind has, in lower case. @param name `issues/labeled` */
  headers(name: string): string[];
  /** What is wrong with the payload, as text; empty when it is as described. */
  problems(name: string, payload: unknown): string;
}

export function loadWebhookJudge(): WebhookJudge {
  const file = createRequire(import.meta.url).resolve('@octokit/openapi-webhooks/generated/api.github.com.json');
  const { webhooks, components } = descriptionSchema.parse(JSON.parse(readFileSync(file, 'utf8')));
  const byName = new Map(Object.values(webhooks).map(({ post }) => [post.operationId, post]));
  // Each schema is used a few times: to optimise it takes longer than to use it.
  const ajv = new Ajv2020({
    strict: false,
    allErrors: true,
    validateSchema: false,
    inlineRefs: false,
    code: { optimize: false },
  });
  addFormats.default(ajv);
  ajv.addSchema({ $id: 'github', components: closed(components) });
  const validators = new Map<string, ValidateFunction>();
  const kind = (name: string) => {
    const post = byName.get(name);
    if (post === undefined) throw new Error(`GitHub has no webhook ${name}`);
    return post;
  };
  return {
    headers: (name) =>
      kind(name)
        .parameters.filter(({ required }) => required)
        .map((parameter) => parameter.name.toLowerCase()),
    problems(name, payload) {
      const { schema } = kind(name).requestBody.content['application/json'];
      const validate = validators.get(name) ?? ajv.compile(closed(schema) as object);
      validators.set(name, validate);
      return validate(payload) ? '' : ajv.errorsText(validate.errors, { separator: '\n' });
    },
  };
}

/** Below `allOf` nothing is closed: there every part knows only its own fields. */
function closed(value: unknown, isPart = false): unknown {
  if (Array.isArray(value)) return value.map((item) => closed(item, isPart));
  if (typeof value !== 'object' || value === null) return value;
  const schema: Record<string, unknown> = Object.fromEntries(
    Object.entries(value).map(([key, item]) => {
      if (key === '$ref' && typeof item === 'string') return [key, `github${item}`];
      return [key, closed(item, isPart || key === 'allOf')];
    }),
  );
  const isObject = typeof schema.properties === 'object' && 'type' in schema;
  if (isObject && !isPart && !('additionalProperties' in schema)) schema.additionalProperties = false;
  return schema;
}

/** The JSON Schema of the file for editors and for the chart, generated from the same schema that the server checks with. */
import { z } from 'zod';
import { PLATFORMS } from '../platforms/registry.ts';
import { fileSchema } from './schema.ts';

/** Numbers and booleans may come from a variable, too. */
const REFERENCE = { type: 'string', pattern: '^\\$\\{.*\\}$' } as const;

/** The word for shared parts in each draft. */
const DEFINITIONS = { 'draft-2020-12': '$defs', 'draft-7': 'definitions' } as const;

/** `draft-7` is for tools that read nothing newer, such as Helm. */
export function configJsonSchema(target: keyof typeof DEFINITIONS = 'draft-2020-12'): z.core.JSONSchema.BaseSchema {
  const { $schema, ...schema } = z.toJSONSchema(fileSchema, { io: 'input', target, override: acceptReferences });
  const tickets = PLATFORMS.map((platform) => {
    const { $schema: _same, ...section } = z.toJSONSchema(platform.ticketsSchema, { io: 'input', target });
    return section;
  });
  return {
    ...($schema === undefined ? {} : { $schema }),
    title: 'agentsmith.yml',
    ...schema,
    [DEFINITIONS[target]]: { tickets: { description: 'Where the tickets are.', anyOf: tickets } },
  };
}

function acceptReferences({ jsonSchema }: { jsonSchema: z.core.JSONSchema.BaseSchema }): void {
  if (jsonSchema.type !== 'number' && jsonSchema.type !== 'integer' && jsonSchema.type !== 'boolean') return;
  const { description: _description, default: _default, ...plain } = jsonSchema;
  for (const key of Object.keys(plain)) delete jsonSchema[key];
  jsonSchema.anyOf = [plain, REFERENCE];
}

/** The JSON Schema of the file for editors, generated from the same schema that the server checks with. */
import { z } from 'zod';
import { PLATFORMS } from '../platforms/registry.ts';
import { fileSchema } from './schema.ts';

/** Numbers and booleans may come from a variable, too. */
const REFERENCE = { type: 'string', pattern: '^\\$\\{.*\\}$' } as const;

export function configJsonSchema(): z.core.JSONSchema.BaseSchema {
  const { $schema, ...schema } = z.toJSONSchema(fileSchema, { io: 'input', override: acceptReferences });
  const tickets = PLATFORMS.map((platform) => {
    const { $schema: _same, ...section } = z.toJSONSchema(platform.ticketsSchema, { io: 'input' });
    return section;
  });
  return {
    ...($schema === undefined ? {} : { $schema }),
    title: 'agentsmith.yml',
    ...schema,
    $defs: { tickets: { description: 'Where the tickets are.', anyOf: tickets } },
  };
}

function acceptReferences({ jsonSchema }: { jsonSchema: z.core.JSONSchema.BaseSchema }): void {
  if (jsonSchema.type !== 'number' && jsonSchema.type !== 'integer' && jsonSchema.type !== 'boolean') return;
  const { description: _description, default: _default, ...plain } = jsonSchema;
  for (const key of Object.keys(plain)) delete jsonSchema[key];
  jsonSchema.anyOf = [plain, REFERENCE];
}

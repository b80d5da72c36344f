/** The fields that every platform's `tickets:` section shares. Their descriptions end up in the JSON Schema. */
import { z } from 'zod';

const nonEmpty = z.string().min(1);

/** `type:` in any letter case. Spelled out letter by letter, because a JSON Schema pattern knows no flags. */
export function platformType(type: string): z.ZodString {
  const letters = type.replace(/./g, (letter) => `[${letter.toUpperCase()}${letter.toLowerCase()}]`);
  return z
    .string()
    .regex(new RegExp(`^${letters}$`), `must be ${type}`)
    .meta({ description: 'Platform of the tickets, any letter case.', examples: [type] });
}

export const ticketsUrl = nonEmpty.describe('Page of the repository, project or site, as people open it.');

export const ticketsApiUrl = nonEmpty.describe('Base URL of the API, only where it cannot be derived from url.');

/** `auth: token`: the credential comes from the platform's own environment variables. */
export const tokenFromEnvironment = z.literal('token', 'must be the word token or a mapping');

export const ownToken = z.strictObject({ token: z.string().describe('Write it as ${VARIABLE}.') });

import type { FastifyRequest } from 'fastify';

/** The token that a request carries (`Authorization: Bearer ...`); undefined when it carries none. */
export function bearerOf({ headers }: Pick<FastifyRequest, 'headers'>): string | undefined {
  return /^Bearer +(.+)$/i.exec(headers.authorization ?? '')?.[1];
}

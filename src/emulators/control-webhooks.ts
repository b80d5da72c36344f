/** Webhooks in the control server: people register them, see what became of each delivery, and spoil the road to it. */
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { EmulatedProject } from './emulated-project.ts';
import type { DeliveryAttempt } from './webhook-sender.ts';

const newWebhook = z.strictObject({
  url: z.url({ protocol: /^https?$/ }),
  secret: z.string().min(1).exactOptional(),
});
const attemptsQuery = z.strictObject({ last: z.coerce.number().int().min(1).max(10_000).default(50) });
const road = z.discriminatedUnion('fault', [
  z.strictObject({ fault: z.enum(['drop', 'double', 'hold']), times: z.int().min(1).optional() }),
  z.strictObject({ fault: z.literal('none') }),
]);

/** Mounts `/webhooks` of one project. */
export function controlWebhooks(app: FastifyInstance, project: EmulatedProject): void {
  const { webhooks } = project;
  app.post('/webhooks', ({ body }, reply) => {
    const hook = newWebhook.parse(body);
    void reply.code(201);
    return { hook: project.addWebhook(hook) };
  });
  app.get('/webhooks/attempts', ({ query }) =>
    webhooks.attempts().slice(-attemptsQuery.parse(query).last).map(attemptBody),
  );
  app.put('/webhooks/road', ({ body }) => {
    const asked = road.parse(body);
    if (asked.fault === 'none') {
      webhooks.mend();
      webhooks.release();
    } else {
      webhooks.spoil(asked.fault, asked.times);
    }
    return asked;
  });
}

function attemptBody({ delivery, attempt, status, atMs, body }: DeliveryAttempt): object {
  const { hook, id, event } = delivery;
  // Null and not left out: that nobody answered is what one looks for here.
  return { hook, id, event, attempt, status: status ?? null, at: new Date(atMs).toISOString(), answer: body };
}

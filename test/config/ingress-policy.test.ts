import { expect, test } from 'vitest';
import { contradiction, decideIngress, type Ingress, type IngressWishes } from '../../src/config/ingress-policy.ts';

const polling = { intervalMs: 60_000, jitterPercent: 10 };
const reconcile = { intervalMs: 600_000, jitterPercent: 10 };

/** Of a project that has nothing set up, polling enabled, a webhook secret, both of them. */
const table: [IngressWishes['engine'], IngressWishes['policy'], [string, string, string, string] | 'excluded'][] = [
  ['default', 'both', ['off', 'poll', 'off + webhooks', 'poll + webhooks']],
  ['default', 'poll_only', ['off', 'poll', 'off', 'poll']],
  ['default', 'webhook_only', ['off', 'off', 'off + webhooks', 'off + webhooks']],
  ['polling', 'both', ['off', 'poll', 'off', 'poll']],
  ['polling', 'poll_only', ['off', 'poll', 'off', 'poll']],
  ['polling', 'webhook_only', 'excluded'],
  ['streaming', 'both', ['reconcile', 'reconcile', 'reconcile + webhooks', 'reconcile + webhooks']],
  ['streaming', 'poll_only', 'excluded'],
  ['streaming', 'webhook_only', ['off', 'off', 'off + webhooks', 'off + webhooks']],
  ['auto', 'both', ['auto', 'auto', 'auto + webhooks', 'auto + webhooks']],
  ['auto', 'poll_only', ['poll', 'poll', 'poll', 'poll']],
  ['auto', 'webhook_only', ['off', 'off', 'off + webhooks', 'off + webhooks']],
];
const modes: Record<string, NonNullable<Ingress['engine']>['mode']> = {
  'auto poll_only': 'polling',
  'auto webhook_only': 'streaming',
};

test.each(table)('event_engine %s, sync_policy %s: %s', (engine, policy, cells) => {
  expect(contradiction(engine, policy) !== undefined).toBe(cells === 'excluded');
  if (cells === 'excluded') return;
  const ingresses = [false, true].flatMap((webhookReady) =>
    [false, true].map((pollingEnabled) =>
      decideIngress({ engine, policy, pollingEnabled, polling, webhookReady, reconcile }),
    ),
  );
  expect(ingresses.map(({ listing, webhooks }) => `${listing}${webhooks ? ' + webhooks' : ''}`)).toEqual(cells);
  for (const ingress of ingresses) {
    const { listing, webhooks } = ingress;
    expect(ingress.polling).toEqual({ poll: polling, reconcile, auto: polling, off: undefined }[listing]);
    const mode = modes[`${engine} ${policy}`] ?? (engine === 'default' ? undefined : engine);
    expect(ingress.engine).toEqual(mode === undefined ? undefined : mode === 'auto' ? { mode, reconcile } : { mode });
    expect([...ingress.triggers].sort()).toEqual(
      ['manual', 'reconcile', ...(listing === 'off' ? [] : ['poll']), ...(webhooks ? ['webhook'] : [])].sort(),
    );
  }
});

test.each([
  ['poll_only', { poll: true, webhook: false, manual: true }],
  ['webhook_only', { poll: false, webhook: true, manual: true }],
  ['both', { poll: true, webhook: true, manual: true }],
] as const)('policy %s lets these triggers in, where both ways are set up: %o', (policy, allowed) => {
  const { triggers } = decideIngress({
    engine: 'default',
    policy,
    pollingEnabled: true,
    polling,
    webhookReady: true,
    reconcile,
  });
  for (const trigger of ['poll', 'webhook', 'manual'] as const) expect(triggers.has(trigger)).toBe(allowed[trigger]);
});

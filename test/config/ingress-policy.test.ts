import { expect, test } from 'vitest';
import { decideIngress, type Ingress, type IngressWishes } from '../../src/config/ingress-policy.ts';

const polling = { intervalMs: 60_000, jitterPercent: 10 };
const reconcile = { intervalMs: 600_000, jitterPercent: 10 };

type Row = [
  engine: IngressWishes['engine'],
  policy: IngressWishes['policy'],
  asks: string,
  listing: Ingress['listing'],
  webhooks: boolean,
  mode: NonNullable<Ingress['engine']>['mode'] | undefined,
];

/** `asks`: p = polling is enabled, w = a webhook secret is set. */
const rows: Row[] = [
  ['default', 'both', '', 'off', false, undefined],
  ['default', 'both', 'p', 'poll', false, undefined],
  ['default', 'both', 'w', 'off', true, undefined],
  ['default', 'both', 'pw', 'poll', true, undefined],
  ['default', 'poll_only', 'pw', 'poll', false, undefined],
  ['default', 'webhook_only', 'pw', 'off', true, undefined],
  ['default', 'poll_only', 'w', 'off', false, undefined],
  ['polling', 'both', 'pw', 'poll', false, 'polling'],
  ['polling', 'poll_only', 'w', 'off', false, 'polling'],
  ['streaming', 'both', 'pw', 'reconcile', true, 'streaming'],
  ['streaming', 'both', 'w', 'reconcile', true, 'streaming'],
  ['streaming', 'both', 'p', 'reconcile', false, 'streaming'],
  ['streaming', 'both', '', 'reconcile', false, 'streaming'],
  ['streaming', 'webhook_only', 'pw', 'off', true, 'streaming'],
  ['auto', 'both', 'pw', 'auto', true, 'auto'],
  ['auto', 'both', 'w', 'auto', true, 'auto'],
  ['auto', 'both', 'p', 'auto', false, 'auto'],
  ['auto', 'both', '', 'auto', false, 'auto'],
  ['auto', 'poll_only', 'pw', 'poll', false, 'polling'],
  ['auto', 'poll_only', 'w', 'poll', false, 'polling'],
  ['auto', 'webhook_only', 'pw', 'off', true, 'streaming'],
];

test.each(rows)('engine %s, policy %s, asked for "%s": listing %s, webhooks %s', (...row) => {
  const [engine, policy, asks, listing, webhooks, mode] = row;
  const pollingEnabled = asks.includes('p');
  const ingress = decideIngress({
    engine,
    policy,
    pollingEnabled,
    polling,
    webhookReady: asks.includes('w'),
    reconcile,
  });
  expect(ingress).toMatchObject({ listing, webhooks });
  expect(ingress.polling).toEqual({ poll: polling, reconcile, auto: polling, off: undefined }[listing]);
  expect(ingress.engine?.mode).toBe(mode);
  if (ingress.engine?.mode === 'auto') expect(ingress.engine.reconcile).toBe(reconcile);
  expect(ingress.triggers).toEqual(
    new Set(['manual', 'reconcile', ...(listing === 'off' ? [] : ['poll']), ...(webhooks ? ['webhook'] : [])]),
  );
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

import { expect, test } from 'vitest';
import { decideIngress, type IngressWishes } from '../../src/config/ingress-policy.ts';

const polling = { intervalMs: 60_000, jitterPercent: 10 };
const reconcile = { intervalMs: 600_000, jitterPercent: 10 };

/** `asks`: p = polling is enabled, w = a webhook secret is set. */
const rows: [IngressWishes['engine'], IngressWishes['policy'], asks: string, listing: string, webhooks: boolean][] = [
  ['default', 'both', '', 'off', false],
  ['default', 'both', 'p', 'poll', false],
  ['default', 'both', 'w', 'off', true],
  ['default', 'both', 'pw', 'poll', true],
  ['default', 'poll_only', 'pw', 'poll', false],
  ['default', 'webhook_only', 'pw', 'off', true],
  ['default', 'poll_only', 'w', 'off', false],
  ['polling', 'both', 'pw', 'poll', false],
  ['polling', 'poll_only', 'w', 'off', false],
  ['streaming', 'both', 'pw', 'reconcile', true],
  ['streaming', 'both', 'w', 'reconcile', true],
  ['streaming', 'both', 'p', 'reconcile', false],
  ['streaming', 'both', '', 'off', false],
  ['streaming', 'webhook_only', 'pw', 'off', true],
  ['auto', 'both', 'pw', 'poll', true],
  ['auto', 'both', 'w', 'reconcile', true],
  ['auto', 'both', 'p', 'poll', false],
  ['auto', 'poll_only', 'pw', 'poll', false],
  ['auto', 'webhook_only', 'pw', 'off', true],
];

test.each(rows)(
  'engine %s, policy %s, asked for "%s": listing %s, webhooks %s',
  (engine, policy, asks, listing, webhooks) => {
    const ingress = decideIngress({
      engine,
      policy,
      webhookReady: asks.includes('w'),
      reconcile,
      ...(asks.includes('p') ? { polling } : {}),
    });
    expect(ingress).toMatchObject({ listing, webhooks });
    expect(ingress.polling).toEqual({ poll: polling, reconcile, off: undefined }[listing]);
    expect(ingress.triggers).toEqual(
      new Set(['manual', 'reconcile', ...(listing === 'off' ? [] : ['poll']), ...(webhooks ? ['webhook'] : [])]),
    );
  },
);

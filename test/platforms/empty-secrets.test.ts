/** A secret that is empty, as a variable that was never set leaves it, opens no door: not even to who proves exactly that. */
import { createHmac } from 'node:crypto';
import { expect, test } from 'vitest';
import { isSameSecret } from '../../src/foundation/same-secret.ts';
import { azureDevOpsWebhook } from '../../src/platforms/azuredevops/webhook.ts';
import { githubWebhook } from '../../src/platforms/github/webhook.ts';
import { gitlabWebhook } from '../../src/platforms/gitlab/webhook.ts';
import { jiraWebhook } from '../../src/platforms/jira/webhook.ts';
import type { WebhookDialect } from '../../src/platforms/webhook.ts';

const body = Buffer.from('{}');
const signature = (secret: string): string => `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`;
const basic = (password: string): string => `Basic ${Buffer.from(`user:${password}`).toString('base64')}`;

test.each<[string, WebhookDialect, (secret: string) => Readonly<Record<string, string>>]>([
  ['GitHub, signed', githubWebhook, (secret) => ({ 'x-hub-signature-256': signature(secret) })],
  ['Jira, signed', jiraWebhook, (secret) => ({ 'x-hub-signature': signature(secret) })],
  ['GitLab, sent along', gitlabWebhook, (secret) => ({ 'x-gitlab-token': secret })],
  ['Azure DevOps, as a password', azureDevOpsWebhook, (secret) => ({ authorization: basic(secret) })],
  ['Azure DevOps, sent along', azureDevOpsWebhook, (secret) => ({ 'x-agentsmith-secret': secret })],
])('%s: an empty secret is proven by nobody', (_, dialect, prove) => {
  expect(dialect.provesSecret({ headers: prove('a secret'), body }, 'a secret')).toBe(true);
  expect(dialect.provesSecret({ headers: prove(''), body }, '')).toBe(false);
  expect(dialect.provesSecret({ headers: {}, body }, '')).toBe(false);
});

test('nothing given is no secret of ours, and an empty one is never the same', () => {
  expect(isSameSecret('', '')).toBe(false);
  expect(isSameSecret(undefined, '')).toBe(false);
  expect(isSameSecret(undefined, 'a secret')).toBe(false);
  expect(isSameSecret('a secret', 'a secret')).toBe(true);
});

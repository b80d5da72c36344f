/** GitHub deliveries for tests that do not care about GitHub: signed requests about issues of `org/api`. */
import { createHmac } from 'node:crypto';
import type { DeliveryRequest } from '../../../src/ingress/deliveries/delivery-receiver.ts';

export const SECRET = 'a-secret-of-the-webhook-tests';

export interface SentIssue {
  readonly id?: string;
  readonly hook?: string;
  readonly event?: string;
  readonly action?: string;
  readonly number?: number;
  /** The label that the action is about. */
  readonly label?: string;
  /** After the event. */
  readonly labels?: readonly string[];
  readonly state?: 'open' | 'closed';
  readonly repository?: string;
  readonly repositoryId?: number;
  /** Replaces the payload. */
  readonly body?: string;
  /** Undefined: not signed. */
  readonly secret?: string | undefined;
  /** In the path. */
  readonly project?: string;
}

let last = 0;

/** `labeled` with `agent-smith` unless said otherwise. */
export function sentIssue(sent: SentIssue = {}): DeliveryRequest {
  const { number = 7, action = 'labeled', label = 'agent-smith', labels = ['agent-smith'], state = 'open' } = sent;
  const { repository = 'org/api', repositoryId = 42, event = 'issues', project } = sent;
  const payload = {
    action,
    issue: { number, state, title: 'A ticket', body: '', labels: labels.map((name) => ({ name })) },
    ...(action === 'labeled' || action === 'unlabeled' ? { label: { name: label } } : {}),
    repository: { id: repositoryId, full_name: repository, html_url: `https://github.com/${repository}` },
    installation: { id: 99 },
    sender: { login: 'octocat' },
  };
  const body = Buffer.from(sent.body ?? JSON.stringify(payload));
  last += 1;
  const secret = 'secret' in sent ? sent.secret : SECRET;
  const signature = secret && `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`;
  return {
    platform: 'github',
    project,
    body,
    headers: {
      'content-type': 'application/json',
      'x-github-delivery': sent.id ?? `delivery-${last}`,
      'x-github-hook-id': sent.hook ?? '1',
      'x-github-event': event,
      ...(signature === undefined ? {} : { 'x-hub-signature-256': signature }),
    },
  };
}

/** Signed GitHub deliveries over real HTTP to real replicas, about issues of `org/api`. */
import { createHmac } from 'node:crypto';
import type { GitHubEmulator } from '../../src/emulators/github/github-emulator.ts';
import { REPOSITORY } from '../support/house.ts';
import type { Replica } from '../support/replica.ts';

export const SECRET = 'a-secret-of-the-webhook-tests';

/** The `projects:` section of one project that takes webhooks, and more of it. */
export function webhookProject(hub: GitHubEmulator, more = ''): string {
  const url = hub.pageUrl(REPOSITORY);
  return `
  api:
    source: { type: GitHub, url: ${url} }
    tickets: { type: GitHub, url: ${url}, auth: token }
    pipeline: fix-bug
    github_trigger: { pipeline_from_label: { agent-smith: fix-bug } }
    webhook: { secret: ${SECRET} }${more}`;
}

export interface Answered {
  /** Undefined when the connection broke before the answer. */
  readonly status: number | undefined;
  readonly json: Readonly<Record<string, unknown>>;
  readonly tookMs: number;
}

/** That the label `agent-smith` was set on an issue: one delivery for each issue, however often it is sent. */
export async function sendLabeled(
  replica: Pick<Replica, 'port'>,
  hub: GitHubEmulator,
  issue: number,
): Promise<Answered> {
  const html_url = hub.pageUrl(REPOSITORY);
  const body = JSON.stringify({
    action: 'labeled',
    issue: { number: issue, state: 'open', title: 'A ticket', labels: [{ name: 'agent-smith' }] },
    label: { name: 'agent-smith' },
    repository: { id: 42, full_name: REPOSITORY, html_url },
  });
  const startedMs = performance.now();
  const tookMs = (): number => performance.now() - startedMs;
  try {
    const response = await fetch(`http://127.0.0.1:${replica.port}/webhook/github`, {
      method: 'POST',
      body,
      headers: {
        'content-type': 'application/json',
        'x-github-delivery': `delivery-${issue}`,
        'x-github-event': 'issues',
        'x-github-hook-id': '1',
        'x-hub-signature-256': `sha256=${createHmac('sha256', SECRET).update(body).digest('hex')}`,
      },
    });
    return { status: response.status, json: (await response.json()) as Record<string, unknown>, tookMs: tookMs() };
  } catch {
    return { status: undefined, json: {}, tookMs: tookMs() };
  }
}

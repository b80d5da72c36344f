/** What `doctor` says of the hooks that send to us, on an emulated GitHub. */
import { expect, test } from 'vitest';
import { examine } from '../../src/app/doctor/examine.ts';
import { DEFAULT_TIMING } from '../../src/domain/timing.ts';
import { createRedactor } from '../../src/foundation/redactor.ts';
import { load } from '../config/load-text.ts';
import { REPOSITORY, silentLog, startHub, TOKEN } from '../support/house.ts';

const PUBLIC = 'webhooks: { listen_port: 9000, public_url: "https://smith.example.com" }\n';

/** One project with this token, as `state: text -> advice` of its hooks. */
async function open() {
  const hub = await startHub();
  const ask = async (more: { token?: string; secret?: string; yaml?: string } = {}): Promise<string[]> => {
    const { token = TOKEN, secret = 'a-webhook-secret', yaml = '' } = more;
    const env = { GITHUB_TOKEN: token, GITHUB_WEBHOOK_SECRET: secret };
    const tickets = `{ type: GitHub, url: "${hub.pageUrl(REPOSITORY)}", auth: token }`;
    const text = `${yaml}projects:\n  api: { tickets: ${tickets}, github_trigger: { pipeline_from_label: { a: p } } }\n`;
    const checks = await examine({
      config: await load(text, env),
      env,
      timing: DEFAULT_TIMING,
      log: silentLog,
      redactor: createRedactor(),
      signal: new AbortController().signal,
      onProgress: () => {},
    });
    return checks
      .filter(({ check, subject }) => check === 'hooks' && subject === 'api')
      .map(({ state, text: seen, advice }) =>
        [`${state}: ${seen}`, ...(advice === undefined ? [] : [advice])].join(' -> '),
      );
  };
  return { hub, ask };
}

test('each hook that sends to us is told of with its state, those of others are not', async () => {
  const { hub, ask } = await open();
  expect(await ask()).toEqual([expect.stringMatching(/^unknown: no hook .* -> Register one/)]);
  hub.addWebhook(REPOSITORY, { url: 'https://elsewhere.example.com/webhook/github' });
  const ours = hub.addWebhook(REPOSITORY, { url: 'https://smith.example.com/webhook/github/api' });
  expect(await ask({ yaml: PUBLIC })).toEqual([expect.stringMatching(new RegExp(`^ok: ${ours}: `))]);
  hub.switchWebhook(REPOSITORY, ours, false);
  expect(await ask({ yaml: PUBLIC })).toEqual([expect.stringMatching(/^problem: .*Active/)]);
});

test('a token that may not look at hooks is no problem; a project without webhooks is not asked about', async () => {
  const { hub, ask } = await open();
  hub.tokens.add('weak', { token: 'ghp_weak-token', login: 'weak-bot', webhooks: 'none' });
  expect(await ask({ token: 'ghp_weak-token' })).toEqual([
    expect.stringMatching(/^unknown: look for missed deliveries .* -> Nothing else needs it\./),
  ]);
  expect(await ask({ secret: '' })).toEqual([]);
});

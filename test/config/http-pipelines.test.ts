/** Pipelines whose work a service does: what their runner is given, and what is refused before anything is sent. */
import { expect, test } from 'vitest';
import type { Config } from '../../src/config/config.ts';
import { load, problemsOf } from './load-text.ts';

const SECRET = `whsec_${Buffer.alloc(32, 1).toString('base64')}`;
const OTHER = `whsec_${Buffer.alloc(24, 2).toString('base64')}`;
const ENV = { SECRET, OTHER, KEY: 'key-of-the-service' };

const text = (http: string, more = ''): string => `projects: {}\n${more}pipelines:\n  h:\n    http: { ${http} }\n`;
const URL_AND_SECRET = 'url: "https://runner.example/runs", secret: "${SECRET}"';

function opened(config: Config): ReturnType<Config['openPipeline']> {
  const pipeline = config.catalog.pipelines.get('h');
  if (pipeline === undefined) throw new Error('no pipeline');
  return config.openPipeline(pipeline.policy);
}

test('a service with its defaults; its secrets are in no policy, and known to the redactor', async () => {
  const headers = 'headers: { Authorization: "Bearer ${KEY}", X-Team: api }';
  const config = await load(text(`${URL_AND_SECRET}, ${headers}`), ENV);
  expect(opened(config)).toEqual({
    ok: true,
    spec: {
      timeoutMs: 1_800_000,
      maxAttempts: 3,
      work: {
        runner: 'http',
        url: 'https://runner.example/runs',
        headers: { Authorization: 'Bearer key-of-the-service', 'X-Team': 'api' },
        secrets: [SECRET],
        result: 'answer',
        allowAddresses: [],
      },
    },
  });
  const { policy = '' } = config.catalog.pipelines.get('h') ?? {};
  for (const secret of [SECRET, 'key-of-the-service']) {
    expect(policy).not.toContain(secret);
    expect(config.secrets.all()).toContain(secret);
  }
  expect(config.findings.map(({ code }) => code)).toEqual(['no-projects']);
});

test.each([
  [
    'callback_url',
    `${URL_AND_SECRET}, callback_url: "https://smith.example/below/"`,
    '',
    'https://smith.example/below',
  ],
  ['public_url', URL_AND_SECRET, 'public_url: https://hooks.example', 'https://hooks.example'],
  [
    'public_url with the path of webhooks',
    URL_AND_SECRET,
    'public_url: https://hooks.example/a/webhook/',
    'https://hooks.example/a',
  ],
  [
    'callback_url before public_url',
    `${URL_AND_SECRET}, callback_url: http://inside`,
    'public_url: https://hooks.example',
    'http://inside',
  ],
])('where a service calls back: %s', async (_name, http, webhooks, callbackUrl) => {
  const section = webhooks === '' ? '' : `webhooks: { listen_port: 8082, ${webhooks} }\n`;
  const config = await load(text(`${http}, result: callback`, section), ENV);
  expect(opened(config)).toMatchObject({ spec: { work: { result: 'callback', callbackUrl } } });
});

test('two secrets while one is changed, and addresses beside the public ones', async () => {
  const http = 'url: "http://10.1.2.3", secrets: ["${SECRET}", "${OTHER}"], allow_addresses: [10.0.0.0/8, "fd00::1"]';
  const config = await load(text(http), ENV);
  expect(opened(config)).toMatchObject({
    spec: { work: { secrets: [SECRET, OTHER], allowAddresses: ['10.0.0.0/8', 'fd00::1'] } },
  });
  expect(config.findings.map(({ code }) => code)).toEqual(['no-projects']);
});

test.each([
  ['no secret', 'url: "https://x.example"', 'secret: must have either secret or secrets: each request is signed'],
  [
    'both',
    `${URL_AND_SECRET}, secrets: ["\${OTHER}"]`,
    'secret: must have either secret or secrets: each request is signed',
  ],
  [
    'a word as a secret',
    'url: "https://x.example", secret: sesame',
    'secret: must be whsec_ and 24 to 64 bytes in base64',
  ],
  ['a short secret', 'url: "https://x.example", secret: whsec_c2hvcnQ=', 'secret: must be whsec_ and 24 to 64 bytes'],
  [
    'a secret that is no base64',
    `url: "https://x.example", secret: "whsec_${'?'.repeat(44)}"`,
    'secret: must be whsec_',
  ],
  ['one wrong secret of two', 'url: "https://x.example", secrets: ["${SECRET}", sesame]', 'secrets: must be whsec_'],
  ['another protocol', 'url: "ftp://x.example", secret: "${SECRET}"', 'url: must be an http or https URL'],
  ['no URL', 'url: runner, secret: "${SECRET}"', 'url: must be an http or https URL'],
  [
    'a password in the URL',
    'url: "https://a:b@x.example", secret: "${SECRET}"',
    'url: must not hold a password: use headers',
  ],
  [
    'a callback that leads nowhere',
    `${URL_AND_SECRET}, result: callback`,
    'result: callback needs callback_url, or webhooks.public_url',
  ],
  ['a callback to a path', `${URL_AND_SECRET}, callback_url: /callback`, 'callback_url: must be an http or https URL'],
  ['a header of ours', `${URL_AND_SECRET}, headers: { Webhook-Id: x }`, 'headers: Webhook-Id is set by Agent Smith'],
  ['a header that is none', `${URL_AND_SECRET}, headers: { "a b": x }`, 'headers: a b is no name of a header'],
  [
    'a value that cannot be sent',
    `${URL_AND_SECRET}, headers: { a: "x\\ny" }`,
    'headers: the value of a cannot be sent',
  ],
  [
    'a host as an address',
    `${URL_AND_SECRET}, allow_addresses: [localhost]`,
    'allow_addresses: localhost is no address and no range',
  ],
  [
    'a secret of the house',
    'url: "https://x.example", secret: "${GITHUB_WEBHOOK_SECRET}"',
    'GITHUB_WEBHOOK_SECRET must not be handed to a pipeline',
  ],
])('%s is a problem with its line', async (_name, http, message) => {
  const problems = await problemsOf(text(http), { ...ENV, GITHUB_WEBHOOK_SECRET: SECRET });
  expect(problems).toEqual([expect.stringMatching(/^\d+:\d+: pipelines\.h\.http/)]);
  expect(problems[0]).toContain(message);
});

test('a secret that is not set is one problem, which names the variable', async () => {
  expect(await problemsOf(text(URL_AND_SECRET))).toEqual([
    expect.stringContaining('pipelines.h.http.secret: the environment variable SECRET is not set'),
  ]);
});

test('secrets in plain text and a URL without TLS are worth a warning', async () => {
  const http = `url: "http://runner.example", secret: "${SECRET}", headers: { Authorization: "Bearer x", X-Api-Key: y }`;
  const { findings } = await load(text(http));
  expect(findings.map(({ code, text: words }) => `${code} ${words}`)).toEqual([
    expect.stringContaining('no-projects'),
    'plain-secret pipeline h: http.headers.Authorization looks like a secret in plain text, use a variable',
    'plain-secret pipeline h: http.headers.X-Api-Key looks like a secret in plain text, use a variable',
    'plain-secret pipeline h: http.secret looks like a secret in plain text, use a variable',
    'plain-transport pipeline h: http.url is not encrypted, so tickets and tokens go over the internet in plain text',
  ]);
});

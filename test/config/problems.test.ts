/** Strictness: what is wrong is said all at once, with place and suggestion, and never with a value. */
import { expect, test } from 'vitest';
import { load, problemsOf, project } from './load-text.ts';

const REPO = 'https://github.com/org/repo';

test('all problems of a file are reported together, in the order of the file', async () => {
  const text = `projects:
  my-api:
    tickets: { type: githb, url: ${REPO} }
    poling: { enabled: true }
    polling: { interval_seconds: 0.5, jitter_percent: 60 }
  other:
    tickets: { type: Jira, url: "https://x.atlassian.net", auth: { emial: me, token: 5 } }
    github_trigger: {}
    max_parallel_jobs: "\${JOBS}"
pipelines:
  both: { command: [x], http: { url: y } }
  none: { timeout_seconds: soon }
agnt: {}
`;
  expect(await problemsOf(text)).toEqual([
    '3:16: projects.my-api.tickets.type: must be one of GitHub, GitLab, AzureDevOps, Jira, did you mean "GitHub"?',
    '4:5: projects.my-api.poling: unknown key, did you mean "polling"?',
    '5:16: projects.my-api.polling.interval_seconds: must be at least 1',
    '5:39: projects.my-api.polling.jitter_percent: must be at most 50',
    '7:68: projects.other.tickets.auth.emial: unknown key, did you mean "email"?',
    '7:79: projects.other.tickets.auth.token: must be text: put it in quotes',
    '8:5: projects.other.github_trigger: belongs to GitHub, but tickets.type is Jira: use jira_trigger',
    '9:5: projects.other.max_parallel_jobs: the environment variable JOBS is not set',
    '11:3: pipelines.both: must have exactly one of command, kubernetes_job, http, not command and http',
    '12:3: pipelines.none: must have exactly one of command, kubernetes_job, http',
    '12:11: pipelines.none.timeout_seconds: must be a number',
    '13:1: agnt: unknown key, did you mean "agent"?',
  ]);
});

test.each([
  ['projects: { a: { tickets: {} } }', 'projects.a.tickets.type: is missing'],
  ['projects: { a: { tickets: { type: GitHub } } }', 'projects.a.tickets.url: is missing'],
  [
    'projects: { a: { tickets: { type: AzureDevOps, url: https://dev.azure.com/o } } }',
    'tickets.project: is missing, and url names no project',
  ],
  [
    'projects: { a: { tickets: { type: GitHub, url: x/y/z, auth: ghp_1 } } }',
    'auth: must be the word token or a mapping',
  ],
  [
    'projects: { a: { tickets: { type: GitHub, url: x/y/z, auth: { app_id: 1, private_key_file: k } } } }',
    'auth.installation_id: is missing',
  ],
  ['projects: { a: { tickets: { type: GitHub, url: github.com/o } } }', 'tickets.url: must name one repository'],
  ['projects: { a: { sync_policy: push } }', 'sync_policy: must be one of poll_only, webhook_only, both'],
  ['projects: { a: { polling: { enabled: yes } } }', 'polling.enabled: must be true or false'],
  ['projects: { "a b": {} }', 'projects["a b"]: the key must be 1-63 letters'],
  ['projects: { Web: {}, web: {} }', 'projects.web: is the same name as Web'],
  ['projects: []', 'projects: must be a mapping'],
  ['pipelines: {}', 'projects: is missing'],
  ['projects: {}\npipelines: { ../x: { command: [x] } }', 'the key must be 1-63 letters'],
  ['projects: {}\npipelines: { x: { command: [] } }', 'command: must not be empty'],
  ['projects: {}\npipelines: { x: { command: [x], env: { A: 1 } } }', 'env.A: must be text: put it in quotes'],
  ['projects: {}\nredis: { namespace: "a:b" }', 'redis.namespace: must be 1-32 lower-case letters'],
  [
    'projects: {}\nevent_engine: pollin',
    'event_engine: must be one of polling, streaming, auto, did you mean "polling"?',
  ],
  ['projects: {}\nwebhooks: { listen_port: 8081 }', 'webhooks.listen_port: is the port of the server itself already'],
])('%s -> %s', async (text, expected) => {
  const problems = await problemsOf(text);
  expect(problems).toHaveLength(1);
  expect(problems[0]).toContain(expected);
});

test('a trigger label may not be one of ours, nor be there twice in another letter case', async () => {
  const map = 'github_trigger:\n  pipeline_from_label: { Agent-Smith:go: a, Bug: b, bug: c, "": d }';
  expect(await problemsOf(`projects:\n${project('a', REPO, map)}`)).toEqual([
    expect.stringContaining('["Agent-Smith:go"]: the key must not begin with agent-smith:'),
    expect.stringContaining('pipeline_from_label.bug: is the same label as Bug'),
    expect.stringContaining('pipeline_from_label[""]: the key must not be empty'),
  ]);
});

test('a list of trigger labels has one label in each item, and each label once', async () => {
  const list =
    'github_trigger:\n  pipeline_from_label: [{ a: x, b: y }, { c: x }, { C: x }, { c: y }, { agent-smith:go: x }, {}]';
  const at = (place: string, message: string) => expect.stringContaining(`pipeline_from_label${place}: ${message}`);
  expect(await problemsOf(`projects:\n${project('a', REPO, list)}`)).toEqual([
    at('[0]', 'must be one label and its pipeline'),
    at('[2].C', 'is the same label as c'),
    at('[3].c', 'is the same label as c'),
    at('[4]["agent-smith:go"]', 'the key must not begin with agent-smith:'),
    at('[5]', 'must be one label and its pipeline'),
  ]);
});

test('two projects may share a source, however it is spelled, but not a trigger label on it', async () => {
  const trigger = (labels: string) => `github_trigger: { pipeline_from_label: { ${labels} } }`;
  const two = (labels: string) =>
    `projects:\n${project('a', REPO, trigger('fix: x'))}${project('b', 'git@GitHub.com:Org/repo.git', trigger(labels))}`;
  await load(two('feature: x'));
  expect(await problemsOf(two('feature: x, FIX: x'))).toEqual([
    '7:58: projects.b.github_trigger.pipeline_from_label.FIX: a watches the same tickets with this trigger label already',
  ]);
});

test('one Jira project without a key is a warning, two on one site are an error', async () => {
  const jira = (name: string, more = '') =>
    `  ${name}: { tickets: { type: jira, url: "https://x.atlassian.net"${more} } }\n`;
  const one = await load(`projects:\n${jira('a')}${jira('b', ', project: ABC')}`);
  expect(one.findings).toContainEqual(expect.objectContaining({ code: 'whole-site', project: 'a' }));
  expect(await problemsOf(`projects:\n${jira('a')}${jira('b')}`)).toEqual([
    expect.stringContaining('projects.b.tickets.project: is missing: a watches the whole site already'),
  ]);
});

test.each([
  ['polling', 'webhook_only', 'excludes event_engine: polling'],
  ['streaming', 'poll_only', 'excludes event_engine: streaming'],
])('the engine %s and the policy %s exclude each other, for all and for one project', async (engine, policy, why) => {
  const head = `event_engine: ${engine}\n`;
  expect(await problemsOf(`${head}default_sync_policy: ${policy}\nprojects: {}\n`)).toEqual([
    expect.stringContaining(`default_sync_policy: ${why}`),
  ]);
  expect(await problemsOf(`${head}projects:\n${project('a', REPO, `sync_policy: ${policy}`)}`)).toEqual([
    expect.stringContaining(`projects.a.sync_policy: ${why}`),
  ]);
});

test('secrets of the house reach a pipeline neither by pass_env nor by a reference', async () => {
  const text = `projects:
${project('a', REPO, 'webhook: { secret: "${HOOK}" }')}pipelines:
  p:
    command: [x]
    pass_env: [HOME, REDIS_URL, AGENTSMITH_API_TOKEN, JIRA_WEBHOOK_SECRET]
    env: { A: "\${REDIS_URL:-none}", B: "\${HOOK}" }
  q: { command: [x], pass_env: [HOOK] }
`;
  const problems = await problemsOf(text, { HOOK: 'the-hook-secret' });
  expect(problems.map((problem) => problem.replace(/^[\d:]+ /, ''))).toEqual([
    'pipelines.p.pass_env[1]: must not be handed to a pipeline',
    'pipelines.p.pass_env[2]: must not be handed to a pipeline',
    'pipelines.p.pass_env[3]: must not be handed to a pipeline',
    'pipelines.p.env.A: REDIS_URL must not be handed to a pipeline',
    'pipelines.p.env.B: HOOK must not be handed to a pipeline',
    'pipelines.q.pass_env[0]: HOOK must not be handed to a pipeline',
  ]);
});

test('a project has one webhook secret or a list, and a platform at most 16 different ones', async () => {
  const both = `projects:\n${project('a', REPO, 'webhook: { secret: x, secrets: [y] }')}`;
  expect(await problemsOf(both)).toEqual([expect.stringContaining('projects.a.webhook: must have either')]);
  const many = (count: number) =>
    `projects:\n${Array.from({ length: count }, (_, i) => project(`p${i}`, `${REPO}-${i}`, `webhook: { secret: s${i} }`)).join('')}`;
  await load(many(16));
  expect(await problemsOf(many(17))).toEqual([
    expect.stringContaining('projects.p16.webhook: is one webhook secret too many'),
  ]);
});

test('no problem repeats a value: it may be a secret', async () => {
  const secret = 'ghp_verysecret';
  const text = `projects:
  a:
    source: { type: GitHub, url: "https://me:${secret}@github.com/o/r" }
    tickets: { type: ${secret}, url: "https://me:${secret}@github.com/o/r", auth: ${secret} }
  b:
    tickets: { type: GitHub, url: "https://${secret}@github.com/o/r", auth: ${secret} }
    webhook: { secret: [${secret}] }
    sync_policy: \${TOKEN}
redis: { namespace: ${secret} }
event_engine: ${secret}
`;
  const problems = await problemsOf(text, { TOKEN: secret });
  expect(problems.length).toBeGreaterThanOrEqual(8);
  expect(problems.join('\n')).not.toContain(secret);
});

/** Which credential a project gets, for every kind on every platform. */
import { expect, test } from 'vitest';
import { credentialName, resolveCredential } from '../../src/config/credentials.ts';
import { azuredevops } from '../../src/platforms/azuredevops/index.ts';
import type { Credential, PlatformDescriptor, TicketsConfig } from '../../src/platforms/descriptor.ts';
import { github } from '../../src/platforms/github/index.ts';
import { gitlab } from '../../src/platforms/gitlab/index.ts';
import { jira } from '../../src/platforms/jira/index.ts';

const ENV = {
  GITHUB_TOKEN: 'github-token',
  GITLAB_TOKEN: 'gitlab-token',
  AZURE_DEVOPS_TOKEN: 'azure-token',
  JIRA_EMAIL: 'me@site.test',
  JIRA_TOKEN: 'jira-token',
};
const CLOUD = { url: 'https://x.atlassian.net' };
const DATA_CENTER = { url: 'https://jira.example' };
const APP = { app_id: '12', installation_id: '34', private_key_file: 'keys/app.pem' };
const ENTRA = { tenant_id: 'tenant', client_id: 'client', client_secret: 'entra-secret' };

/** The credential, or the reason why there is none. */
function resolve(descriptor: PlatformDescriptor, tickets: TicketsConfig, env: Record<string, string> = ENV) {
  const state = resolveCredential(descriptor, tickets, env, '/etc/smith');
  return state.ok ? state.credential : state.reason;
}

test.each([
  ['GitHub', github, {}, 'github-token'],
  ['GitLab', gitlab, {}, 'gitlab-token'],
  ['Azure DevOps', azuredevops, {}, 'azure-token'],
  ['Jira Data Center, although an email is set for other projects', jira, DATA_CENTER, 'jira-token'],
  ['Jira Cloud under a name of its own', jira, { ...DATA_CENTER, deployment: 'data_center' }, 'jira-token'],
  ['a token of the project itself', gitlab, { auth: { token: 'own' } }, 'own'],
  ['a project whose token is a JWT', azuredevops, { auth: { token: 'eyJ.eyJ.sig' } }, 'eyJ.eyJ.sig'],
  ['a token with a line break behind it', gitlab, { auth: { token: 'from-a-file\n' } }, 'from-a-file'],
])('a token alone: %s', (_, descriptor, tickets, token) => {
  expect(resolve(descriptor, { auth: 'token', ...tickets })).toEqual({ kind: 'token', token });
});

test.each([
  ['of the environment', 'token', { email: 'me@site.test', token: 'jira-token' }],
  ['of the project', { email: 'you@site.test', token: 'own' }, { email: 'you@site.test', token: 'own' }],
])('Jira Cloud: email and token %s', (_, auth, expected) => {
  expect(resolve(jira, { ...CLOUD, auth })).toEqual({ kind: 'basic', ...expected });
  expect(resolve(jira, { ...DATA_CENTER, deployment: 'cloud', auth })).toEqual({ kind: 'basic', ...expected });
});

test('a GitHub App: the path of its key starts at the configuration', () => {
  const app = { kind: 'app', appId: '12', installationId: '34', privateKeyFile: '/etc/smith/keys/app.pem' };
  expect(resolve(github, { auth: APP })).toEqual(app);
  const elsewhere = resolve(github, { auth: { ...APP, private_key_file: '/run/app.pem' } });
  expect(elsewhere).toEqual({ ...app, privateKeyFile: '/run/app.pem' });
});

test('an Entra application, at the public authority unless it names another one', () => {
  const entra = { kind: 'entra', tenantId: 'tenant', clientId: 'client', clientSecret: 'entra-secret' };
  expect(resolve(azuredevops, { auth: ENTRA })).toEqual({
    ...entra,
    authorityUrl: 'https://login.microsoftonline.com',
  });
  const sovereign = resolve(azuredevops, { auth: { ...ENTRA, authority_url: 'https://login.other.test' } });
  expect(sovereign).toEqual({ ...entra, authorityUrl: 'https://login.other.test' });
});

test.each([
  ['no variable', github, { auth: 'token' }, {}, 'GITHUB_TOKEN is not set'],
  ['an empty variable', gitlab, { auth: 'token' }, { GITLAB_TOKEN: '  \n' }, 'GITLAB_TOKEN is not set'],
  ['an empty token', azuredevops, { auth: { token: '' } }, ENV, 'auth.token is empty'],
  ['Cloud, no email set', jira, { ...CLOUD, auth: 'token' }, { JIRA_TOKEN: 'x' }, 'JIRA_EMAIL is not set'],
  ['Cloud, a token alone', jira, { ...CLOUD, auth: { token: 'x' } }, ENV, 'auth.email is missing'],
  ['Cloud, an empty email', jira, { ...CLOUD, auth: { email: '', token: 'x' } }, ENV, 'auth.email is empty'],
  [
    'Data Center, an email too',
    jira,
    { ...DATA_CENTER, auth: { email: 'a@b', token: 'x' } },
    ENV,
    'auth.email is not used',
  ],
  ['an App without its key', github, { auth: { ...APP, private_key_file: '' } }, ENV, 'auth.private_key_file is empty'],
  ['an App without a number', github, { auth: { ...APP, app_id: '' } }, ENV, 'auth.app_id is empty'],
  [
    'Entra without its secret',
    azuredevops,
    { auth: { ...ENTRA, client_secret: '' } },
    ENV,
    'auth.client_secret is empty',
  ],
  [
    'Entra at no address',
    azuredevops,
    { auth: { ...ENTRA, authority_url: 'login' } },
    ENV,
    'auth.authority_url must be',
  ],
] as const)('what cannot be used says why: %s', (_, descriptor, tickets, env, reason) => {
  const said = resolve(descriptor, tickets, env);
  expect(said).toEqual(expect.stringContaining(reason));
  expect(said).not.toContain('entra-secret');
});

test('credentials that differ have different names, and no name shows a secret', () => {
  const app: Credential = { kind: 'app', appId: '1', installationId: '2', privateKeyFile: '/key.pem' };
  const all: Credential[] = [
    { kind: 'token', token: 'one-token' },
    { kind: 'token', token: 'other-token' },
    app,
    { ...app, installationId: '3' },
    { kind: 'entra', tenantId: 't', clientId: 'c', clientSecret: 's', authorityUrl: 'https://login.test' },
  ];
  const names = all.map((credential) => credentialName('github', 'host.test', credential));
  expect(new Set(names).size).toBe(all.length);
  expect(names.join()).not.toContain('token');
  expect(credentialName('github', 'host.test', { ...app, privateKeyFile: '/moved.pem' })).toBe(names[2]);
});

/** One scope is one source, however people spell it (PROTOCOL 1); and what people type for a ticket. */
import { readdirSync } from 'node:fs';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { sourceKey, type TicketSource } from '../../src/domain/ticket.ts';
import { azuredevops } from '../../src/platforms/azuredevops/index.ts';
import type { PlatformDescriptor, TicketsConfig } from '../../src/platforms/descriptor.ts';
import { github } from '../../src/platforms/github/index.ts';
import { gitlab } from '../../src/platforms/gitlab/index.ts';
import { jira } from '../../src/platforms/jira/index.ts';
import { isJiraCloud } from '../../src/platforms/jira/source.ts';
import { PLATFORMS, platformOfType } from '../../src/platforms/registry.ts';

type Tickets = TicketsConfig | string;

function resolve(platform: PlatformDescriptor, tickets: Tickets): TicketSource {
  const source = platform.resolveSource(typeof tickets === 'string' ? { url: tickets } : tickets);
  if ('problem' in source) throw new Error(`${source.key} ${source.problem}`);
  return source;
}

test('the registry lists exactly the platform folders, each under the name of its folder', () => {
  const folders = readdirSync(new URL('../../src/platforms/', import.meta.url), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name);
  expect(PLATFORMS.map(({ slug }) => slug).toSorted()).toEqual(folders.toSorted());
  for (const { slug, type, triggerKey } of PLATFORMS) {
    expect(triggerKey).toBe(`${slug}_trigger`);
    expect(platformOfType(type.toUpperCase())?.slug).toBe(slug);
  }
});

test.each<[PlatformDescriptor, key: string, spellings: Tickets[]]>([
  [
    github,
    'github~github.com~org%2Frepo~',
    [
      'https://github.com/org/repo',
      'https://GitHub.com/Org/Repo.git/',
      'http://www.github.com:80/org/repo',
      'https://github.com:443//org/repo/',
      'github.com/org/repo',
      'git@github.com:org/repo.git',
      'ssh://git@github.com/org/repo.git',
      { url: 'https://github.com/org/repo', api_url: 'https://proxy.example/github' },
    ],
  ],
  [
    github,
    'github~ghe.corp%3A8443~org%2Frepo~',
    ['https://ghe.corp:8443/org/repo', 'https://GHE.corp:8443/ORG/repo.git'],
  ],
  [
    gitlab,
    'gitlab~gitlab.com~group%2Fsub%2Fproject~',
    [
      'https://gitlab.com/group/sub/project',
      'https://gitlab.com/Group/Sub/Project.git',
      'https://gitlab.com/group/sub/project/-/issues',
      'git@gitlab.com:group/sub/project.git',
    ],
  ],
  [
    gitlab,
    'gitlab~corp.example~group%2Fproject~',
    [{ url: 'https://corp.example/tools/gitlab/group/project', api_url: 'https://corp.example/tools/gitlab/api/v4/' }],
  ],
  [
    azuredevops,
    'azuredevops~dev.azure.com~org~my%20project',
    [
      'https://dev.azure.com/org/My%20Project',
      'https://org.visualstudio.com/My%20Project',
      'https://ORG.visualstudio.com/DefaultCollection/my%20project/_git/repo',
      'https://org@dev.azure.com/org/My%20Project/_git/repo',
      'https://dev.azure.com/org/my%20project/_workitems/recentlyupdated',
      'git@ssh.dev.azure.com:v3/org/My%20Project/repo',
      { organization: 'Org', project: 'My Project' },
      { url: 'https://dev.azure.com/org', project: 'my project' },
      { url: 'https://dev.azure.com/org/my%20project', project: 'My Project', organization: 'ORG' },
    ],
  ],
  [
    azuredevops,
    'azuredevops~tfs.corp~tfs%2Fmain~web',
    [
      'https://tfs.corp/tfs/Main/Web',
      { url: 'https://tfs.corp/tfs/Main/Web', project: 'web' },
      { url: 'https://tfs.corp/tfs/main', project: 'Web' },
      { url: 'https://tfs.corp/tfs/main', api_url: 'https://tfs.corp/tfs/main', project: 'Web' },
      { api_url: 'https://tfs.corp/tfs/Main/', project: 'Web' },
    ],
  ],
  [
    jira,
    'jira~site.atlassian.net~~abc',
    [
      { url: 'https://site.atlassian.net', project: 'ABC' },
      { url: 'Site.atlassian.net/', project: 'abc' },
      { url: 'https://site.atlassian.net/jira/software/projects/ABC/boards/1', project: 'ABC' },
      { url: 'https://site.atlassian.net/browse/ABC-7', project: 'ABC' },
    ],
  ],
  [jira, 'jira~corp.example%2Fjira~~', ['https://corp.example/jira', 'https://corp.example/Jira/browse/ABC-7']],
])('$0.type: every spelling of a scope is the same source', (platform, key, spellings) => {
  expect(spellings.map((tickets) => sourceKey(resolve(platform, tickets)))).toEqual(spellings.map(() => key));
});

test('GitHub: letter case, suffix, slashes and scheme never make another source of a repository', () => {
  const name = fc.stringMatching(/^[a-z0-9][a-z0-9-]{0,8}[a-z0-9]$/);
  const shout = (text: string, loud: boolean): string => (loud ? text.toUpperCase() : text);
  fc.assert(
    fc.property(
      name,
      name,
      fc.constantFrom('https://', 'http://', ''),
      fc.constantFrom('', '/', '.git', '.git/', '//'),
      fc.boolean(),
      (owner, repository, scheme, end, loud) => {
        const spelled = resolve(github, `${scheme}${shout(`github.com/${owner}/${repository}`, loud)}${end}`);
        expect(sourceKey(spelled)).toBe(sourceKey(resolve(github, `https://github.com/${owner}/${repository}`)));
      },
    ),
  );
});

test.each(PLATFORMS)('$slug: the root of all names is no host', (platform) => {
  expect(platform.resolveSource({ url: '.', project: 'KEY', organization: 'org' })).toHaveProperty('problem');
});

test('whatever the address is, the answer is a source or words that do not repeat it', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...PLATFORMS),
      fc.oneof(fc.string(), fc.webUrl()),
      fc.string(),
      (platform, url, more) => {
        const source = platform.resolveSource({ url, project: more, organization: more });
        const repeats = 'problem' in source && url.length > 20 && source.problem.includes(url);
        const usable = 'problem' in source || URL.canParse(source.apiUrl);
        expect({ repeats, usable }).toEqual({ repeats: false, usable: true });
      },
    ),
  );
});

test.each<[PlatformDescriptor, Tickets, api: string]>([
  [github, 'https://github.com/o/r', 'https://api.github.com'],
  [github, 'https://tenant.ghe.com/o/r', 'https://api.tenant.ghe.com'],
  [github, 'https://ghe.corp/o/r', 'https://ghe.corp/api/v3'],
  [github, 'http://127.0.0.1:4010/o/r', 'http://127.0.0.1:4010/api/v3'],
  [github, { url: 'https://ghe.corp/o/r', api_url: 'https://api.ghe.corp/v3/' }, 'https://api.ghe.corp/v3'],
  [gitlab, 'https://gitlab.com/g/p', 'https://gitlab.com/api/v4'],
  [gitlab, 'http://localhost:4020/g/p', 'http://localhost:4020/api/v4'],
  [gitlab, { url: 'https://c.example/gl/g/p', api_url: 'https://c.example/gl/api/v4/' }, 'https://c.example/gl/api/v4'],
  [azuredevops, 'https://org.visualstudio.com/p', 'https://dev.azure.com/org'],
  [azuredevops, 'http://127.0.0.1:4030/org/p', 'http://127.0.0.1:4030/org'],
  [azuredevops, 'https://tfs.corp/tfs/My%20Collection/p', 'https://tfs.corp/tfs/My%20Collection'],
  [jira, 'https://site.atlassian.net/browse/A-1', 'https://site.atlassian.net'],
  [jira, 'https://corp.example/jira/', 'https://corp.example/jira'],
  [
    jira,
    { url: 'https://site.atlassian.net', api_url: 'https://api.atlassian.com/ex/jira/1' },
    'https://api.atlassian.com/ex/jira/1',
  ],
])('$0.type: %s finds its API', (platform, tickets, api) => {
  expect(resolve(platform, tickets).apiUrl).toBe(api);
});

test.each<[PlatformDescriptor, Tickets, key: string]>([
  [github, 'https://github.com/org', 'url'],
  [github, 'https://github.com/org/repo/issues/7', 'url'],
  [github, 'https://me:secret@github.com/org/repo', 'url'],
  [github, 'https://token@github.com/org/repo', 'url'],
  [github, 'ftp://github.com/org/repo', 'url'],
  [github, 'https://github.com/o%ZZ/repo', 'url'],
  [github, {}, 'url'],
  [github, { url: 'https://github.com/o/r', api_url: 'nonsense://x' }, 'api_url'],
  [gitlab, 'https://gitlab.com/project', 'url'],
  [gitlab, { url: 'https://gitlab.com/g/p', api_url: 'https://gitlab.com/api/v3' }, 'api_url'],
  [gitlab, { url: 'https://c.example/g/p', api_url: 'https://c.example/gl/api/v4' }, 'url'],
  [azuredevops, {}, 'url'],
  [azuredevops, 'https://dev.azure.com/org', 'project'],
  [azuredevops, 'https://dev.azure.com/org/p/extra', 'url'],
  [azuredevops, { url: 'https://dev.azure.com/org/p', organization: 'other' }, 'organization'],
  [azuredevops, { url: 'https://dev.azure.com/org/p', project: 'other' }, 'project'],
  [jira, {}, 'url'],
])('$0.type: %s is refused at its key %s', (platform, tickets, key) => {
  const source = platform.resolveSource(typeof tickets === 'string' ? { url: tickets } : tickets);
  expect(source).toEqual({ key, problem: expect.any(String) });
});

test('Jira Cloud is known by its host, unless the project says otherwise', () => {
  expect(isJiraCloud({ url: 'https://site.atlassian.net' })).toBe(true);
  expect(isJiraCloud({ url: 'https://jira.corp' })).toBe(false);
  expect(isJiraCloud({ url: 'https://jira.corp', deployment: 'cloud' })).toBe(true);
});

test.each<[PlatformDescriptor, Tickets, read: Record<string, string | undefined>]>([
  [
    github,
    'https://github.com/org/repo',
    {
      '7': '7',
      '#7': '7',
      'Org/Repo#7': '7',
      'https://github.com/org/repo/issues/7': '7',
      'https://github.com/org/repo/issues/7#issuecomment-1': '7',
      'other/repo#7': undefined,
      'https://github.com/org/other/issues/7': undefined,
      'https://ghe.corp/org/repo/issues/7': undefined,
      'https://github.com/org/repo/pull/7': undefined,
      '0': undefined,
      '-7': undefined,
      '7a': undefined,
      '': undefined,
    },
  ],
  [
    gitlab,
    { url: 'https://c.example/gl/group/project', api_url: 'https://c.example/gl/api/v4' },
    {
      '#7': '7',
      'group/project#7': '7',
      'https://c.example/gl/group/project/-/issues/7': '7',
      'https://c.example/gl/group/project/-/work_items/7': '7',
      'https://c.example/gl/group/other/-/issues/7': undefined,
      'https://c.example/group/project/-/issues/7': undefined,
      'https://c.example/gl/group/project/-/merge_requests/7': undefined,
    },
  ],
  [
    azuredevops,
    'https://dev.azure.com/org/project',
    {
      '7': '7',
      'AB#7': '7',
      'https://dev.azure.com/org/project/_workitems/edit/7': '7',
      'https://dev.azure.com/org/other/_workitems/edit/7': '7',
      'https://org.visualstudio.com/project/_workitems/edit/7/': '7',
      'https://dev.azure.com/other/project/_workitems/edit/7': undefined,
      'https://dev.azure.com/org/project/_git/repo': undefined,
    },
  ],
  [
    jira,
    { url: 'https://corp.example/jira', project: 'ABC' },
    {
      '10007': '10007',
      'abc-7': 'ABC-7',
      'https://corp.example/jira/browse/ABC-7': 'ABC-7',
      'https://corp.example/jira/browse/XYZ-7': undefined,
      'https://corp.example/browse/ABC-7': undefined,
      'XYZ-7': undefined,
      'ABC-7/../..': undefined,
    },
  ],
])('$0.type: reads what people type for a ticket', (platform, tickets, read) => {
  const source = resolve(platform, tickets);
  expect(Object.fromEntries(Object.keys(read).map((text) => [text, platform.parseTicketId(text, source)]))).toEqual(
    read,
  );
});

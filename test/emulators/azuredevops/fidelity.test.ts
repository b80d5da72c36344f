/**
 * The real client library on the emulator, without our transport: what it finds there is what it would find at Azure
 * DevOps, the answers included that it turns into `null`.
 */
import { BasicCredentialHandler } from 'azure-devops-node-api/handlers/basiccreds.js';
import { WorkItemErrorPolicy } from 'azure-devops-node-api/interfaces/WorkItemTrackingInterfaces.js';
import { getBearerHandler, WebApi } from 'azure-devops-node-api/WebApi.js';
import type { IWorkItemTrackingApi } from 'azure-devops-node-api/WorkItemTrackingApi.js';
import { expect, onTestFinished, test } from 'vitest';
import {
  type AzureDevOpsEmulator,
  type AzureDevOpsEmulatorOptions,
  createAzureDevOpsEmulator,
} from '../../../src/emulators/azuredevops/azuredevops-emulator.ts';

const APPLICATION = { tenantId: 'tenant', clientId: 'client', clientSecret: 'secret' };

interface Running {
  readonly server: AzureDevOpsEmulator;
  /** The library's own way in, with a personal access token. */
  web(collection?: string, token?: string): WebApi;
  readonly wit: IWorkItemTrackingApi;
}

async function running(options: AzureDevOpsEmulatorOptions = {}): Promise<Running> {
  const server = createAzureDevOpsEmulator({
    tokens: { smith: { token: 'pat' }, reader: { token: 'read', scope: 'read' } },
    applications: { app: APPLICATION },
    collections: { org: ['Shop', 'Elsewhere'], 'tfs/DefaultCollection': ['Shop'] },
    ...options,
  });
  await server.start();
  onTestFinished(() => server.close());
  const web: Running['web'] = (collection = 'org', token = 'pat') =>
    new WebApi(server.collectionUrl(collection), new BasicCredentialHandler('', token));
  return { server, web, wit: await web().getWorkItemTrackingApi() };
}

const tagsOf = (item: { fields?: Record<string, unknown> } | null): unknown => item?.fields?.['System.Tags'];

const query = (where: string) => ({ query: `SELECT [System.Title] FROM WorkItems WHERE ${where}` });

test('signs in, finds the areas, the routes, the projects and the states', async () => {
  const { server, web, wit } = await running();
  const { authenticatedUser } = await web().connect();
  expect(authenticatedUser).toMatchObject({ providerDisplayName: 'smith' });
  const projects = await (await web().getCoreApi()).getProjects();
  expect(projects.map(({ name }) => name)).toEqual(['Shop', 'Elsewhere']);
  expect(await (await web().getCoreApi()).getProject('shop')).toMatchObject({ name: 'Shop' });
  const states = await wit.getWorkItemTypeStates('Shop', 'Bug');
  expect(states).toContainEqual({ name: 'Active', color: 'b2b2b2', category: 'InProgress' });
  expect(await wit.getRootNodes('Shop')).toMatchObject([{ structureType: 0, name: 'Shop' }, { structureType: 1 }]);
  expect(server.ledger.requests({ status: 404 })).toEqual([]);
});

test('a query gives ids and nothing else; a batch gives the rest, 200 at most, and holes for what is omitted', async () => {
  const { server, wit } = await running();
  for (let n = 0; n < 201; n += 1) server.openWorkItem('org', 'Shop', { labels: ['fix'], title: `Number ${n}` });
  const found = await wit.queryByWiql(query("[System.Tags] CONTAINS 'fix'"), { project: 'Shop' }, false, 150);
  expect(found.workItems).toHaveLength(150);
  expect(found.workItems?.[0]).toEqual({ id: 1, url: `${server.collectionUrl('org')}/_apis/wit/workItems/1` });

  const fields = ['System.Title', 'System.Tags'];
  server.deleteWorkItem('org#2');
  const omitting = await wit.getWorkItemsBatch({ ids: [1, 2], fields, errorPolicy: WorkItemErrorPolicy.Omit });
  expect(omitting).toMatchObject([{ id: 1, fields: { 'System.Title': 'Number 0', 'System.Tags': 'fix' } }, null]);
  expect(await wit.getWorkItemsBatch({ ids: [1, 2], fields })).toBeNull();
  const ids = Array.from({ length: 201 }, (_, n) => n + 1);
  await expect(wit.getWorkItemsBatch({ ids, errorPolicy: WorkItemErrorPolicy.Omit })).rejects.toThrow('VS403474');
});

test('a query that is wrong, or finds too much, is refused', async () => {
  const { server, wit } = await running({ queryLimit: 2 });
  for (let n = 0; n < 3; n += 1) server.openWorkItem('org', 'Shop');
  await expect(wit.queryByWiql(query("[System.State] = 'New"))).rejects.toThrow(/VS403438.*caused by/);
  await expect(wit.queryByWiql(query('[System.Id] > 0'))).rejects.toThrow('VS402337');
  const found = await wit.queryByWiql(query('[System.Id] > 0'), undefined, false, 2);
  expect(found.workItems).toHaveLength(2);
});

test('the revision decides, adding a tag appends, replacing writes over', async () => {
  const { server, wit } = await running();
  server.openWorkItem('org', 'Shop', { labels: ['Tag0'] });
  const patch = (op: string, value: unknown, rev?: number) =>
    wit.updateWorkItem(
      {},
      [
        ...(rev === undefined ? [] : [{ op: 'test', path: '/rev', value: rev }]),
        { op, path: '/fields/System.Tags', value },
      ],
      1,
    );
  expect(tagsOf(await patch('add', 'Tag1; Tag2', 1))).toBe('Tag0; Tag1; Tag2');
  await expect(patch('replace', 'x', 1)).rejects.toMatchObject({
    statusCode: 412,
    message: expect.stringContaining('VS403351'),
  });
  expect(tagsOf(await patch('replace', 'tag1; Tag9', 2))).toBe('Tag1; Tag9');
  expect(tagsOf(await patch('remove', undefined))).toBeUndefined();
  await expect(patch('replace', 'x')).rejects.toMatchObject({ statusCode: 400 });
  await expect(patch('add', Array.from({ length: 101 }, (_, n) => `t${n}`).join(';'))).rejects.toThrow('100 tags');
  expect(await wit.getWorkItem(1)).toMatchObject({ rev: 4 });

  await wit.updateWorkItem({}, [{ op: 'add', path: '/fields/System.Tags', value: 'x' }], 1, undefined, true);
  expect(server.workItem('org#1')).toMatchObject({ rev: 4, labels: [] });
  const tags = (await wit.getTags('Shop')).map(({ name }) => name);
  expect(tags).toEqual(['Tag0', 'Tag1', 'Tag2', 'Tag9']);
});

test('updates say who changed the tags, and when the next revision was made', async () => {
  const { server, wit } = await running();
  server.openWorkItem('org', 'Shop', { labels: ['fix'], by: 'alice' });
  server.addTag('org#1', 'urgent', 'bob');
  server.comment('org#1', 'a word', 'bob');
  const updates = await wit.getUpdates(1);
  expect(updates).toMatchObject([
    { rev: 1, revisedBy: { uniqueName: 'alice' }, fields: { 'System.Tags': { newValue: 'fix' } } },
    {
      rev: 2,
      revisedBy: { uniqueName: 'bob' },
      fields: { 'System.Tags': { oldValue: 'fix', newValue: 'fix; urgent' } },
    },
    { rev: 3, fields: { 'System.History': { newValue: 'a word' } } },
  ]);
  expect(await wit.getUpdates(1, 1, 1)).toMatchObject([{ rev: 2 }]);
});

test('comments come page by page, and HTML that the server does not like is gone', async () => {
  const { wit, server } = await running();
  server.openWorkItem('org', 'Shop');
  const posted = await wit.addComment(
    {
      text: '<div style="x">a &lt;b&gt;<!-- hidden --><script>1</script></div><a id="x" href="https://x.org/?a&amp;b">x</a>',
    },
    'Shop',
    1,
  );
  expect(posted).toMatchObject({
    text: '<div>a &lt;b&gt;</div><a href="https://x.org/?a&amp;b">x</a>',
    createdDate: expect.any(Date),
  });
  server.comment('org#1', 'second');
  const first = await wit.getComments('Shop', 1, 1);
  expect(first).toMatchObject({ totalCount: 2, comments: [{ text: 'second' }], continuationToken: '1' });
  const rest = await wit.getComments('Shop', 1, 1, first.continuationToken);
  expect(rest).toMatchObject({ comments: [{ text: '<div>a &lt;b&gt;</div><a href="https://x.org/?a&amp;b">x</a>' }] });
  expect(rest.continuationToken).toBeUndefined();
});

test('what is not there comes back as null, and so does the page on which people sign in', async () => {
  const { server, wit } = await running();
  server.openWorkItem('org', 'Shop');
  expect(await wit.getWorkItem(2)).toBeNull();
  server.moveWorkItem('org#1', 'Elsewhere');
  expect(await wit.getWorkItem(1)).toMatchObject({ id: 1, fields: { 'System.TeamProject': 'Elsewhere' } });
  expect(await wit.getWorkItem(1, undefined, undefined, undefined, 'Shop')).toBeNull();
  server.deleteWorkItem('org#1');
  expect(await wit.getWorkItem(1)).toBeNull();
  server.tokens.expire('smith');
  expect(await wit.getWorkItem(1)).toBeNull();
  expect(await wit.queryByWiql(query('[System.Id] > 0'))).toBeNull();
  expect(server.ledger.requests({ status: 203 })).toHaveLength(2);
});

test('a wrong token is 401, one without the scope too, and nobody is sent to sign in', async () => {
  const { server, web } = await running();
  server.openWorkItem('org', 'Shop');
  await expect(web('org', 'wrong').connect()).rejects.toMatchObject({ statusCode: 401 });
  const reader = await web('org', 'read').getWorkItemTrackingApi();
  expect(await reader.getWorkItem(1)).toMatchObject({ id: 1 });
  const write = reader.updateWorkItem({}, [{ op: 'add', path: '/fields/System.Tags', value: 'x' }], 1);
  await expect(write).rejects.toMatchObject({ statusCode: 401, message: expect.stringContaining('TF400813') });
  const nobody = await fetch(`${server.collectionUrl('org')}/_apis/projects`, { redirect: 'manual' });
  expect([nobody.status, nobody.headers.get('location')]).toEqual([302, expect.stringContaining('/_signin?')]);
});

test('delays and refusals come with their headers', async () => {
  const { server, wit } = await running();
  server.openWorkItem('org', 'Shop');
  expect(await wit.getWorkItem(1)).not.toHaveProperty('rateLimit');
  server.limits.press({ delaySeconds: 1.5, retryAfterSeconds: 3, times: 1 });
  expect(await wit.getWorkItem(1)).toMatchObject({
    rateLimit: { delay: 1.5, retryAfter: 3, limit: 200, remaining: 0 },
  });
  expect(await wit.getWorkItem(1)).not.toHaveProperty('rateLimit');
  server.block({ times: 1, retryAfterSeconds: 60 });
  await expect(wit.getWorkItem(1)).rejects.toMatchObject({ statusCode: 429, rateLimit: { retryAfter: 60 } });
});

test('a bearer token of Entra is as good, for as long as it lives', async () => {
  let nowMs = Date.now();
  const { server } = await running({ nowMs: () => nowMs });
  server.openWorkItem('org', 'Shop');
  const form = { grant_type: 'client_credentials', scope: '499b84ac-1321-427f-aa17-267ca6975798/.default' };
  const ask = (secret: string) =>
    fetch(`${server.url}/tenant/oauth2/v2.0/token`, {
      method: 'POST',
      body: new URLSearchParams({ ...form, client_id: 'client', client_secret: secret }),
    });
  expect((await ask('wrong')).status).toBe(401);
  const { access_token, expires_in } = (await (await ask('secret')).json()) as {
    access_token: string;
    expires_in: number;
  };
  const web = new WebApi(server.collectionUrl('org'), getBearerHandler(access_token));
  const wit = await web.getWorkItemTrackingApi();
  expect(await wit.getWorkItem(1)).toMatchObject({ id: 1 });
  nowMs += expires_in * 1000;
  await expect(wit.getWorkItem(1)).rejects.toMatchObject({ statusCode: 401 });
});

test('a collection of a server numbers its own work items, and has no areas elsewhere', async () => {
  const { server, web } = await running();
  server.openWorkItem('org', 'Shop', { title: 'in the cloud' });
  server.openWorkItem('tfs/DefaultCollection', 'Shop', { title: 'on the server' });
  const wit = await web('tfs/DefaultCollection').getWorkItemTrackingApi();
  expect(await wit.getWorkItem(1)).toMatchObject({ fields: { 'System.Title': 'on the server' } });
  expect(server.workItem('tfs/DefaultCollection#1').url).toBe(
    `${server.url}/tfs/DefaultCollection/Shop/_workitems/edit/1`,
  );
});

test('a write has to name its version and its type, a preview has to be asked for', async () => {
  const { server } = await running();
  server.openWorkItem('org', 'Shop');
  const ask = async (method: string, path: string, type?: string, body?: string) => {
    const headers = {
      authorization: `Basic ${Buffer.from(':pat').toString('base64')}`,
      ...(type !== undefined && { 'content-type': type }),
    };
    const answer = await fetch(`${server.collectionUrl('org')}/${path}`, { method, headers, body: body ?? null });
    return `${answer.status} ${/Vss\w+Exception|VS\d+/.exec(await answer.text())?.[0] ?? ''}`;
  };
  const item = '_apis/wit/workitems/1';
  const json = 'application/json';
  expect(await ask('PATCH', item, json, '[]')).toBe('400 VssVersionNotSpecifiedException');
  expect(await ask('PATCH', `${item}?api-version=7.1`, json, '[]')).toMatch(/^415 /);
  expect(await ask('PATCH', `${item}?api-version=7.1`, 'application/json-patch+json', '[]')).toBe('400 VS403429');
  expect(await ask('PATCH', `${item}?api-version=7.1`, 'application/json-patch+json', '{')).toMatch(/^400 /);
  expect(await ask('GET', `Shop/_apis/wit/workItems/1/comments?api-version=7.1`)).toMatch(/^400 VssInvalidPreview/);
  expect(await ask('GET', 'Nowhere/_apis/wit/workitems/1')).toMatch(/^404 VS800075/);
  expect(await ask('GET', '_apis/unknown/route')).toBe('404 ');
});

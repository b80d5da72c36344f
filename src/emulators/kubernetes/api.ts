/** The HTTP API over the store: create, read, list and watch, merge patch, delete with preconditions, logs, access reviews. */
import type { Answer } from '../faults.ts';
import type { HttpRequest } from '../http-server.ts';
import { parseJson } from '../json-body.ts';
import { type Account, mayDo, refusal } from './access.ts';
import { failure, invalid, notFound, ok } from './answers.ts';
import { FOREGROUND } from './controllers.ts';
import type { Kubelet } from './kubelet.ts';
import { mergePatch } from './merge-patch.ts';
import { type Job, type KubeObject, type Metadata, type Plural, type Secret } from './objects.ts';
import { changeProblems, jobProblems, secretProblems } from './rules.ts';
import { unknownSelector } from './selectors.ts';
import { type Store, timestamp } from './store.ts';
import type { Watches } from './watching.ts';

export interface Route {
  readonly operation: string;
  readonly method: string;
  readonly path: string;
  readonly verb: string;
  readonly group: string;
  /** `jobs`, `pods/log` */
  readonly resource: string;
}

const BATCH = '/apis/batch/v1/namespaces/:namespace';
const CORE = '/api/v1/namespaces/:namespace';

function routesOf(plural: string, base: string, group: string): Route[] {
  const route = (verb: string, method: string, path: string): Route => {
    return { operation: `${plural}/${verb}`, method, path: `${base}/${path}`, verb, group, resource: plural };
  };
  return [
    route('create', 'POST', plural),
    route('list', 'GET', plural),
    route('get', 'GET', `${plural}/:name`),
    route('patch', 'PATCH', `${plural}/:name`),
    route('delete', 'DELETE', `${plural}/:name`),
  ];
}

export const ROUTES: readonly Route[] = [
  ...routesOf('jobs', BATCH, 'batch'),
  ...routesOf('pods', CORE, ''),
  ...routesOf('secrets', CORE, ''),
  {
    operation: 'pods/log',
    method: 'GET',
    path: `${CORE}/pods/:name/log`,
    verb: 'get',
    group: '',
    resource: 'pods/log',
  },
  {
    operation: 'access/review',
    method: 'POST',
    path: '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews',
    verb: 'create',
    group: 'authorization.k8s.io',
    resource: 'selfsubjectaccessreviews',
  },
];

export interface ApiParts {
  readonly store: Store;
  readonly kubelet: Kubelet;
  readonly watches: Watches;
  readonly namespaces: ReadonlySet<string>;
  readonly nowMs: () => number;
  /** After whatever may have changed something. */
  readonly onChange: () => void;
}

export type Api = (route: Route | undefined, request: HttpRequest, account: Account | undefined) => Answer;

export function createApi({ store, kubelet, watches, namespaces, nowMs, onChange }: ApiParts): Api {
  const create = (plural: Plural, namespace: string, body: unknown): Answer => {
    const object = body as KubeObject;
    const { name } = object.metadata;
    if (!namespaces.has(namespace)) return notFound('namespaces', namespace);
    if (object.metadata.namespace !== undefined && object.metadata.namespace !== namespace) {
      return failure(400, 'BadRequest', 'the namespace of the object does not match the namespace on the request');
    }
    const given = { ...object, metadata: { ...object.metadata, namespace } };
    if (plural === 'jobs') {
      const job = { ...(given as Job), status: {} };
      const problems = jobProblems(job);
      if (problems.length > 0) return invalid('Job.batch', name, problems);
      if (store.read('jobs', namespace, name) !== undefined) return exists('jobs.batch', name);
      const spec = { backoffLimit: 6, completions: 1, parallelism: 1, suspend: false, ...job.spec };
      return ok(store.create('jobs', { ...job, spec }), 201);
    }
    if (plural === 'secrets') {
      const secret = asStored(given as Secret & { stringData?: Record<string, string> });
      const problems = secretProblems(secret);
      if (problems.length > 0) return invalid('Secret', name, problems);
      if (store.read('secrets', namespace, name) !== undefined) return exists('secrets', name);
      return ok(store.create('secrets', secret), 201);
    }
    return failure(405, 'MethodNotAllowed', `the emulator makes no ${plural} for others`);
  };

  const list = (plural: Plural, namespace: string, query: URLSearchParams): Answer => {
    const text = (name: string): string | undefined => query.get(name) ?? undefined;
    const selectors = { labelSelector: text('labelSelector'), fieldSelector: text('fieldSelector') };
    const unknown = unknownSelector(selectors);
    if (unknown !== undefined) return failure(400, 'BadRequest', `unable to parse requirement: ${unknown}`);
    const version = text('resourceVersion');
    if (query.get('watch') === 'true') {
      return watches.open({
        ...selectors,
        plural,
        namespace,
        from: version === undefined || version === '0' ? undefined : Number(version),
        bookmarks: query.get('allowWatchBookmarks') === 'true',
        timeoutSeconds: text('timeoutSeconds') === undefined ? undefined : Number(text('timeoutSeconds')),
      });
    }
    const items = watches.select(plural, namespace, selectors);
    const kind = { jobs: 'JobList', pods: 'PodList', secrets: 'SecretList' }[plural];
    const apiVersion = plural === 'jobs' ? 'batch/v1' : 'v1';
    return ok({ kind, apiVersion, metadata: { resourceVersion: String(store.version()) }, items });
  };

  const patch = (namespace: string, name: string, request: HttpRequest, body: unknown): Answer => {
    const before = store.read('jobs', namespace, name);
    if (before === undefined) return notFound('jobs.batch', name);
    const type = request.headers['content-type'] ?? '';
    if (!/^application\/(strategic-)?merge-patch\+json/.test(type)) {
      return failure(415, 'UnsupportedMediaType', `the body of the request was in an unknown format: ${type}`);
    }
    const given = (body as { metadata?: Partial<Metadata> }).metadata?.resourceVersion;
    if (given !== undefined && given !== before.metadata.resourceVersion) return modified('jobs.batch', name);
    const after = mergePatch(before, body) as Job;
    const problems = [...jobProblems(after), ...changeProblems(before, after)];
    if (problems.length > 0) return invalid('Job.batch', name, problems);
    const { uid, creationTimestamp, resourceVersion } = before.metadata;
    const metadata = { ...after.metadata, uid, creationTimestamp, resourceVersion };
    return ok(store.replace('jobs', { ...after, metadata, status: before.status }));
  };

  const remove = (plural: Plural, namespace: string, name: string, body: unknown): Answer => {
    const object = store.read(plural, namespace, name);
    if (object === undefined) return notFound(plural === 'jobs' ? 'jobs.batch' : plural, name);
    const { preconditions = {}, propagationPolicy } = (body ?? {}) as DeleteOptions;
    const broken = precondition(preconditions, object.metadata);
    if (broken !== undefined) return failure(409, 'Conflict', broken);
    const success = ok({ kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success' });
    const metadata = { ...object.metadata, deletionTimestamp: object.metadata.deletionTimestamp ?? timestamp(nowMs()) };
    if (plural === 'pods') {
      store.replace('pods', { ...(object as Parameters<typeof store.replace<'pods'>>[1]), metadata });
      return success;
    }
    if (plural === 'jobs' && propagationPolicy === 'Foreground') {
      return ok(store.replace('jobs', { ...(object as Job), metadata: { ...metadata, finalizers: [FOREGROUND] } }));
    }
    // Without a word on it, batch/v1 leaves the pods of a Job alone.
    if (plural === 'jobs' && propagationPolicy !== 'Background') orphan(object.metadata.uid);
    store.remove(plural, namespace, name);
    return success;
  };

  const orphan = (owner: string): void => {
    for (const pod of store.list('pods')) {
      const { ownerReferences = [], ...rest } = pod.metadata;
      const kept = ownerReferences.filter(({ uid }) => uid !== owner);
      if (kept.length < ownerReferences.length) {
        store.replace('pods', { ...pod, metadata: { ...rest, ...(kept.length > 0 && { ownerReferences: kept }) } });
      }
    }
  };

  const readLog = (namespace: string, name: string, query: URLSearchParams): Answer => {
    const pod = store.read('pods', namespace, name);
    if (pod === undefined) return notFound('pods', name);
    const container = query.get('container') ?? pod.spec.containers[0]?.name ?? '';
    const state = pod.status.containerStatuses?.find((one) => one.name === container)?.state;
    if (state?.running === undefined && state?.terminated === undefined) {
      const why = state?.waiting?.reason ?? 'ContainerCreating';
      const message = `container "${container}" in pod "${name}" is waiting to start: ${why}`;
      return failure(400, 'BadRequest', message);
    }
    const lines = kubelet.logOf(pod).split(/(?<=\n)/);
    const tail = query.get('tailLines');
    const body = lines.slice(tail === null ? 0 : -Number(tail)).join('');
    return { status: 200, headers: { 'content-type': 'text/plain' }, body };
  };

  const review = (body: unknown, account: Account): Answer => {
    const { spec } = body as { spec: { resourceAttributes: ReviewedAttributes } };
    const { verb, group = '', resource, subresource } = spec.resourceAttributes;
    const whole = subresource === undefined ? resource : `${resource}/${subresource}`;
    const allowed = mayDo(account, { verb, group, resource: whole });
    return ok(
      { apiVersion: 'authorization.k8s.io/v1', kind: 'SelfSubjectAccessReview', spec, status: { allowed } },
      201,
    );
  };

  return (route, request, account) => {
    if (account === undefined) return failure(401, 'Unauthorized', 'Unauthorized');
    if (route === undefined) return failure(404, 'NotFound', 'the server could not find the requested resource');
    const { namespace = '', name = '' } = request.params;
    const query = new URL(request.path, 'http://cluster').searchParams;
    const parsed = parseJson(request.body);
    if (parsed === 'broken') return failure(400, 'BadRequest', 'the object provided is unrecognized');
    if (route.operation === 'access/review') return review(parsed.value, account);
    const verb = route.verb === 'list' && query.get('watch') === 'true' ? 'watch' : route.verb;
    const deed = { verb, group: route.group, resource: route.resource };
    if (!mayDo(account, deed)) return failure(403, 'Forbidden', refusal(account, deed, namespace));
    const plural = route.resource as Plural;
    const answer = (): Answer => {
      if (route.operation === 'pods/log') return readLog(namespace, name, query);
      switch (route.verb) {
        case 'create':
          return create(plural, namespace, parsed.value);
        case 'list':
          return list(plural, namespace, query);
        case 'patch':
          return patch(namespace, name, request, parsed.value);
        case 'delete':
          return remove(plural, namespace, name, parsed.value);
        default: {
          const found = store.read(plural, namespace, name);
          return found === undefined ? notFound(plural, name) : ok(found);
        }
      }
    };
    const answered = answer();
    if (request.method !== 'GET') onChange();
    return answered;
  };
}

interface DeleteOptions {
  readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string };
  readonly propagationPolicy?: string;
}

interface ReviewedAttributes {
  readonly verb: string;
  readonly group?: string;
  readonly resource: string;
  readonly subresource?: string;
}

function precondition(
  { uid, resourceVersion }: NonNullable<DeleteOptions['preconditions']>,
  seen: Metadata,
): string | undefined {
  if (uid !== undefined && uid !== seen.uid) {
    return `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${seen.uid}`;
  }
  if (resourceVersion === undefined || resourceVersion === seen.resourceVersion) return undefined;
  return `Precondition failed: ResourceVersion in precondition: ${resourceVersion}, ResourceVersion in object meta: ${seen.resourceVersion}`;
}

function exists(resource: string, name: string): Answer {
  return failure(409, 'AlreadyExists', `${resource} "${name}" already exists`);
}

function modified(resource: string, name: string): Answer {
  const why = 'the object has been modified; please apply your changes to the latest version and try again';
  return failure(409, 'Conflict', `Operation cannot be fulfilled on ${resource} "${name}": ${why}`);
}

function asStored({ stringData = {}, ...secret }: Secret & { stringData?: Record<string, string> }): Secret {
  const coded = Object.entries(stringData).map(([key, text]) => [key, Buffer.from(text).toString('base64')]);
  return { ...secret, type: secret.type ?? 'Opaque', data: { ...secret.data, ...Object.fromEntries(coded) } };
}

/**
 * What a cluster would say of a manifest. Kubernetes' own kinds are checked by models that are generated from its API, which
 * know required fields and types; KEDA's and the Prometheus operator's by schemas that follow their CRDs.
 */
import { CUSTOM_KINDS } from './custom-kinds.ts';
import type { Manifest } from './manifests.ts';

/** Problems in words; none for a manifest that the cluster would take. */
export async function problemsOf(manifest: Manifest): Promise<string[]> {
  const custom = CUSTOM_KINDS[`${manifest.apiVersion} ${manifest.kind}`];
  if (custom === undefined) return await problemsOfModel(manifest);
  return custom.safeParse(manifest).error?.issues.map(({ path, message }) => `${path.join('.')}: ${message}`) ?? [];
}

interface Model {
  readonly prototype: { validate(this: unknown): void };
}

async function problemsOfModel(manifest: Manifest): Promise<string[]> {
  // Its modules are named like that: apps/v1/Deployment.
  const name = `kubernetes-models/${manifest.apiVersion}/${manifest.kind}`;
  const models = (await import(/* @vite-ignore */ name)) as Readonly<Record<string, Model>>;
  const model = models[manifest.kind];
  if (model === undefined) return [`there is no kind ${manifest.kind} in ${manifest.apiVersion}`];
  const { view, unread } = watchReads(manifest);
  try {
    model.prototype.validate.call(view);
  } catch (error) {
    return [error instanceof Error ? error.message : String(error)];
  }
  return unread().map((field) => `${field}: no such field`);
}

/**
 * The models let unknown fields pass, but they read every field that they know: what nobody has read after a validation is
 * unknown to them.
 */
function watchReads(manifest: object): { view: object; unread: () => string[] } {
  const reads = new WeakMap<object, Set<PropertyKey>>();
  const views = new WeakMap<object, object>();
  const viewOf = <T>(value: T): T => {
    if (typeof value !== 'object' || value === null) return value;
    const read = new Set<PropertyKey>();
    const known = views.get(value);
    if (known !== undefined) return known as T;
    reads.set(value, read);
    const view = new Proxy(value, {
      get(target, key) {
        read.add(key);
        return viewOf(Reflect.get(target, key));
      },
    });
    views.set(value, view);
    return view;
  };
  const unreadIn = (value: unknown, path: string): string[] => {
    if (typeof value !== 'object' || value === null) return [];
    const read = reads.get(value) ?? new Set();
    return Object.entries(value).flatMap(([key, item]) => {
      const here = path === '' ? key : `${path}.${key}`;
      return read.has(key) ? unreadIn(item, here) : [here];
    });
  };
  return { view: viewOf(manifest), unread: () => unreadIn(manifest, '') };
}

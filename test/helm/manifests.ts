/** Manifests by their kind. A field that is not there fails the test that reads on behind it. */
import type { IDeployment } from 'kubernetes-models/apps/v1/Deployment';
import type { IStatefulSet } from 'kubernetes-models/apps/v1/StatefulSet';
import type { IHorizontalPodAutoscaler } from 'kubernetes-models/autoscaling/v2/HorizontalPodAutoscaler';
import type { IIngress } from 'kubernetes-models/networking.k8s.io/v1/Ingress';
import type { INetworkPolicy } from 'kubernetes-models/networking.k8s.io/v1/NetworkPolicy';
import type { IPodDisruptionBudget } from 'kubernetes-models/policy/v1/PodDisruptionBudget';
import type { IClusterRole } from 'kubernetes-models/rbac.authorization.k8s.io/v1/ClusterRole';
import type { IRole } from 'kubernetes-models/rbac.authorization.k8s.io/v1/Role';
import type { IRoleBinding } from 'kubernetes-models/rbac.authorization.k8s.io/v1/RoleBinding';
import type { IConfigMap } from 'kubernetes-models/v1/ConfigMap';
import type { ISecret } from 'kubernetes-models/v1/Secret';
import type { IService } from 'kubernetes-models/v1/Service';
import type { IServiceAccount } from 'kubernetes-models/v1/ServiceAccount';
import type { PrometheusRule, ScaledObject, ServiceMonitor } from './custom-kinds.ts';

interface Kinds {
  readonly ClusterRole: IClusterRole;
  readonly ConfigMap: IConfigMap;
  readonly Deployment: IDeployment;
  readonly HorizontalPodAutoscaler: IHorizontalPodAutoscaler;
  readonly Ingress: IIngress;
  readonly NetworkPolicy: INetworkPolicy;
  readonly PodDisruptionBudget: IPodDisruptionBudget;
  readonly PrometheusRule: PrometheusRule;
  readonly Role: IRole;
  readonly RoleBinding: IRoleBinding;
  readonly ScaledObject: ScaledObject;
  readonly Secret: ISecret;
  readonly Service: IService;
  readonly ServiceAccount: IServiceAccount;
  readonly ServiceMonitor: ServiceMonitor;
  readonly StatefulSet: IStatefulSet;
}

type Whole<T> = T extends readonly (infer Item)[]
  ? readonly Whole<Item>[]
  : T extends object
    ? { readonly [Key in keyof T]-?: Whole<T[Key]> }
    : T;

export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
}

export type OfKind<Kind extends keyof Kinds> = Whole<NonNullable<Kinds[Kind]>>;

export function ofKind<Kind extends keyof Kinds>(manifests: readonly Manifest[], kind: Kind): readonly OfKind<Kind>[] {
  return manifests.filter((manifest) => manifest.kind === kind) as unknown as readonly OfKind<Kind>[];
}

/** The only one of its kind. */
export function the<Kind extends keyof Kinds>(manifests: readonly Manifest[], kind: Kind): OfKind<Kind> {
  return only(ofKind(manifests, kind));
}

export function only<T>(items: readonly T[]): T {
  const [item, another] = items;
  if (item === undefined || another !== undefined) throw new Error(`expected one, found ${items.length}`);
  return item;
}

/** The pod of the server. */
export function podOf(manifests: readonly Manifest[]): OfKind<'Deployment'>['spec']['template'] {
  return the(manifests, 'Deployment').spec.template;
}

/** The container of the server. */
export function serverOf(manifests: readonly Manifest[]) {
  return only(podOf(manifests).spec.containers);
}

/** The variables of the server; what comes from a Secret is a text that tells them apart. */
export function environmentOf(manifests: readonly Manifest[]): Readonly<Record<string, string>> {
  const { env } = serverOf(manifests);
  return Object.fromEntries(env.map(({ name, value }) => [name, value ?? `secret-of-${name}-0123456789`]));
}

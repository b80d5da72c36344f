/**
 * What the chart asks of Kubernetes for the pods of the server, in the time of a test that runs faster. Read from what Helm
 * renders, so that a scene is played with the numbers that people install.
 */
import { render } from '../../helm/helm.ts';
import { podOf, serverOf, the } from '../../helm/manifests.ts';

export interface ProbePlan {
  readonly path: string;
  readonly periodMs: number;
  readonly timeoutMs: number;
  /** So many answers of one kind in a row change what is thought of the container. */
  readonly successes: number;
  readonly failures: number;
}

export interface PodPlan {
  readonly startup: ProbePlan;
  readonly liveness: ProbePlan;
  readonly readiness: ProbePlan;
  /** From SIGTERM to SIGKILL. */
  readonly graceMs: number;
}

export interface DeploymentPlan extends PodPlan {
  readonly replicas: number;
  readonly maxUnavailable: number;
  readonly maxSurge: number;
  /** Until whoever sends requests has learned which pods are ready. */
  readonly endpointLagMs: number;
}

/** Of the cluster and not of the chart: endpoints have to be written, watched and put into every proxy. */
const ENDPOINT_LAG_SECONDS = 2;
/** What Kubernetes takes where a chart says nothing. */
const DEFAULTS = { periodSeconds: 10, timeoutSeconds: 1, successThreshold: 1, failureThreshold: 3 } as const;

/**
 * @param values those of the chart
 * @param timeScale 0.1 is ten times as fast
 */
export async function planOfChart(values: object, timeScale: number): Promise<DeploymentPlan> {
  const manifests = await render(values);
  const { replicas, strategy } = the(manifests, 'Deployment').spec;
  const { startupProbe, livenessProbe, readinessProbe } = serverOf(manifests);
  const ms = (seconds: number): number => seconds * 1000 * timeScale;
  const planOf = (probe: RenderedProbe): ProbePlan => {
    const { httpGet, periodSeconds, timeoutSeconds, successThreshold, failureThreshold } = { ...DEFAULTS, ...probe };
    return {
      path: httpGet.path,
      periodMs: ms(periodSeconds),
      timeoutMs: ms(timeoutSeconds),
      successes: successThreshold,
      failures: failureThreshold,
    };
  };
  return {
    startup: planOf(startupProbe),
    liveness: planOf(livenessProbe),
    readiness: planOf(readinessProbe),
    graceMs: ms(podOf(manifests).spec.terminationGracePeriodSeconds),
    replicas,
    maxUnavailable: podCount(strategy.rollingUpdate.maxUnavailable),
    maxSurge: podCount(strategy.rollingUpdate.maxSurge),
    endpointLagMs: ms(ENDPOINT_LAG_SECONDS),
  };
}

/** Of the fields that Kubernetes knows those that the kubelet of these tests plays. */
interface RenderedProbe {
  readonly httpGet: { readonly path: string };
  readonly periodSeconds?: number;
  readonly timeoutSeconds?: number;
  readonly successThreshold?: number;
  readonly failureThreshold?: number;
}

function podCount(found: number | string): number {
  if (typeof found === 'string') throw new Error(`${found} is no number of pods`);
  return found;
}

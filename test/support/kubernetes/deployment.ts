/**
 * The controllers around the pods: a Deployment that replaces them by its strategy, and the endpoints of its Service, which
 * whoever sends requests learns a moment late. A pod that is deleted leaves them at once, while its SIGTERM is on the way.
 */
import { sleep } from '../../../src/foundation/loop.ts';
import { until } from '../until.ts';
import type { DeploymentPlan } from './deployment-plan.ts';
import { type Container, type Pod, startPod } from './kubelet.ts';

export interface Deployment {
  /** All that there ever were, the oldest first. */
  readonly pods: readonly Pod[];
  /** Starts all that are missing; resolves when requests are sent to as many as there should be. */
  scaleUp(): Promise<void>;
  /** Replaces all; resolves when requests are sent to new ones only and the old ones are gone. */
  rollOut(): Promise<void>;
}

export interface DeploymentOptions {
  readonly plan: DeploymentPlan;
  readonly start: () => Promise<Container>;
  /** Whom requests are to be sent to from now on. */
  readonly onEndpoints: (pods: readonly Pod[]) => void;
  /** The end of everything: nothing is asked or started any more. */
  readonly signal: AbortSignal;
}

/** Of one rollout: pods start one after the other, perhaps on a machine that does a lot else. */
const PATIENCE_MS = 120_000;

const isLeft = (pod: Pod): boolean => !pod.deleted.aborted;
const isReady = (pod: Pod): boolean => isLeft(pod) && pod.ready;

export function createDeployment({ plan, start, onEndpoints, signal }: DeploymentOptions): Deployment {
  const { replicas, maxSurge, maxUnavailable, endpointLagMs } = plan;
  const pods: Pod[] = [];
  let endpoints: readonly Pod[] = [];

  const announce = async (): Promise<void> => {
    const now = pods.filter(isReady);
    if (!(await sleep(endpointLagMs, signal))) return;
    endpoints = now;
    onEndpoints(now);
  };
  const add = (): void => {
    pods.push(startPod({ plan, start, signal, onChange: () => void announce() }));
  };
  const areSentTo = (some: readonly Pod[]): boolean =>
    endpoints.length === replicas && endpoints.every((pod) => some.includes(pod));

  /** The pod that may go now: one that is not ready before one that is, and never one too many. */
  const mayGo = (old: readonly Pod[]): Pod | undefined => {
    const least = replicas - maxUnavailable;
    const left = pods.filter(isLeft);
    const unready = left.filter((pod) => !old.includes(pod) && !pod.ready);
    if (left.length - unready.length <= least) return undefined;
    const going = old.filter(isLeft);
    return going.find((pod) => !pod.ready) ?? (left.filter(isReady).length > least ? going[0] : undefined);
  };

  return {
    pods,
    async scaleUp() {
      while (pods.filter(isLeft).length < replicas) add();
      await until('all pods are ready', () => areSentTo(pods), PATIENCE_MS);
    },
    async rollOut() {
      const old = pods.filter(isLeft);
      const fresh = (): Pod[] => pods.filter((pod) => isLeft(pod) && !old.includes(pod));
      const gone: Promise<void>[] = [];
      const isOver = (): boolean => {
        // A test that has failed is not waited for.
        if (signal.aborted) return true;
        if (fresh().length < replicas && pods.filter(isLeft).length < replicas + maxSurge) add();
        const going = mayGo(old);
        if (going !== undefined) gone.push(going.delete());
        return areSentTo(fresh());
      };
      await until('all pods are new', isOver, PATIENCE_MS);
      await Promise.all(gone);
    },
  };
}

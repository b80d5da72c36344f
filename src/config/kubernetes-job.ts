/** From the `kubernetes_job:` section of a pipeline to what the runner takes: the same in our own spelling. Pure. */
import type { JobSpec, Toleration } from '../worker/runners/kubernetes/job-manifest.ts';
import type { PipelineConfig } from './schema.ts';

type JobConfig = NonNullable<PipelineConfig['kubernetes_job']>;

export function openJob(job: JobConfig): Omit<JobSpec, 'cwd' | 'env' | 'passEnv'> {
  const { requests, limits } = job.resources ?? {};
  return {
    image: job.image,
    ...(job.namespace !== undefined && { namespace: job.namespace }),
    ...(job.service_account !== undefined && { serviceAccount: job.service_account }),
    ...(job.command !== undefined && { command: job.command }),
    ...(job.args !== undefined && { args: job.args }),
    envFromSecret: job.env_from_secret ?? [],
    envFromSecretKey: job.env_from_secret_key ?? {},
    ...(job.resources !== undefined && {
      resources: { ...(requests !== undefined && { requests }), ...(limits !== undefined && { limits }) },
    }),
    nodeSelector: job.node_selector ?? {},
    tolerations: (job.tolerations ?? []).map(openToleration),
    labels: job.labels ?? {},
    annotations: job.annotations ?? {},
    ...(job.image_pull_policy !== undefined && { imagePullPolicy: job.image_pull_policy }),
    imagePullSecrets: job.image_pull_secrets ?? [],
    ...(job.run_as_user !== undefined && { runAsUser: job.run_as_user }),
    ...(job.run_as_group !== undefined && { runAsGroup: job.run_as_group }),
    runAsNonRoot: job.run_as_non_root,
    ttlSecondsAfterFinished: job.ttl_seconds_after_finished,
  };
}

function openToleration(toleration: NonNullable<JobConfig['tolerations']>[number]): Toleration {
  const { key, operator, value, effect, toleration_seconds: tolerationSeconds } = toleration;
  return {
    ...(key !== undefined && { key }),
    ...(operator !== undefined && { operator }),
    ...(value !== undefined && { value }),
    ...(effect !== undefined && { effect }),
    ...(tolerationSeconds !== undefined && { tolerationSeconds }),
  };
}

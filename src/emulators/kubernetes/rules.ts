/** What the API server refuses before anything is stored. Pure: each returns problems in its words, none when all is well. */
import type { Job, Metadata, Secret } from './objects.ts';

const DNS_LABEL = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
const DNS_SUBDOMAIN = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/;
const LABEL_VALUE = /^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$/;
const QUALIFIED_NAME = /^([a-z0-9]([-a-z0-9.]*[a-z0-9])?\/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;
const MOST_ANNOTATION_BYTES = 256 * 1024;
const MOST_SECRET_BYTES = 1024 * 1024;

function metadataProblems(metadata: Partial<Metadata>, pattern = DNS_SUBDOMAIN): string[] {
  const { name = '', labels = {}, annotations = {} } = metadata;
  const problems: string[] = [];
  if (!pattern.test(name)) problems.push(`metadata.name: Invalid value: "${name}"`);
  for (const [key, value] of Object.entries(labels)) {
    if (!QUALIFIED_NAME.test(key)) problems.push(`metadata.labels: Invalid value: "${key}"`);
    if (typeof value !== 'string' || !LABEL_VALUE.test(value)) {
      problems.push(`metadata.labels: Invalid value: "${value}"`);
    }
  }
  for (const [key, value] of Object.entries(annotations)) {
    if (!QUALIFIED_NAME.test(key)) problems.push(`metadata.annotations: Invalid value: "${key}"`);
    if (typeof value !== 'string') problems.push(`metadata.annotations: Invalid value: "${key}"`);
  }
  if (Buffer.byteLength(Object.entries(annotations).flat().join('')) > MOST_ANNOTATION_BYTES) {
    problems.push('metadata.annotations: Too long: may not be more than 262144 bytes');
  }
  return problems;
}

export function jobProblems({ metadata, spec }: Job): string[] {
  const problems = metadataProblems(metadata, DNS_LABEL);
  const { containers, restartPolicy, volumes = [] } = spec.template.spec;
  problems.push(
    ...metadataProblems({ name: metadata.name, ...spec.template.metadata }).map((p) => `spec.template.${p}`),
  );
  if (restartPolicy !== 'Never' && restartPolicy !== 'OnFailure') {
    problems.push(`spec.template.spec.restartPolicy: Unsupported value: "${restartPolicy ?? 'Always'}"`);
  }
  if (spec.podFailurePolicy !== undefined && restartPolicy !== 'Never') {
    problems.push('spec.template.spec.restartPolicy: Invalid value: only "Never" is supported with podFailurePolicy');
  }
  for (const field of ['backoffLimit', 'activeDeadlineSeconds', 'ttlSecondsAfterFinished'] as const) {
    const value = spec[field];
    if (value !== undefined && (!Number.isInteger(value) || value < 0)) {
      problems.push(`spec.${field}: Invalid value: ${value}: must be greater than or equal to 0`);
    }
  }
  if (containers.length === 0) problems.push('spec.template.spec.containers: Required value');
  for (const { name, image, env = [] } of containers) {
    if (!DNS_LABEL.test(name)) problems.push(`spec.template.spec.containers[0].name: Invalid value: "${name}"`);
    if (image === undefined || image === '') problems.push('spec.template.spec.containers[0].image: Required value');
    for (const variable of env) {
      if (variable.value !== undefined && variable.valueFrom !== undefined) {
        problems.push('env.valueFrom: Invalid value: may not be specified when `value` is not empty');
      }
    }
  }
  const names = volumes.map(({ name }) => name);
  if (new Set(names).size < names.length) problems.push('spec.template.spec.volumes: Duplicate value');
  return problems;
}

export function secretProblems({ metadata, data }: Secret): string[] {
  const problems = metadataProblems(metadata);
  let bytes = 0;
  for (const [key, value] of Object.entries(data)) {
    if (!/^[-._a-zA-Z0-9]{1,253}$/.test(key)) problems.push(`data[${key}]: Invalid value`);
    bytes += Buffer.from(value, 'base64').length;
  }
  if (bytes > MOST_SECRET_BYTES) problems.push('data: Too long: may not be more than 1048576 bytes');
  return problems;
}

/** What of a Job's spec may be changed once it is there. */
const MUTABLE = new Set(['suspend', 'activeDeadlineSeconds', 'ttlSecondsAfterFinished', 'parallelism', 'backoffLimit']);

export function changeProblems(before: Job, after: Job): string[] {
  const fields = new Set([...Object.keys(before.spec), ...Object.keys(after.spec)]) as Set<keyof Job['spec']>;
  return [...fields]
    .filter((field) => !MUTABLE.has(field) && JSON.stringify(before.spec[field]) !== JSON.stringify(after.spec[field]))
    .map((field) => `spec.${field}: Invalid value: field is immutable`);
}

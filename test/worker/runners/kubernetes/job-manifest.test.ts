import { expect, test } from 'vitest';
import type { SeenJob } from '../../../../src/worker/runners/kubernetes/cluster.ts';
import { jobManifest, secretManifest } from '../../../../src/worker/runners/kubernetes/job-manifest.ts';
import { jobName } from '../../../../src/worker/runners/kubernetes/job-words.ts';
import { jobRequest } from './cluster-room.ts';

test('the name comes from the ticket alone, and fits wherever Kubernetes puts it', () => {
  expect(jobName('github~github.com~org%2Fmy-api~7')).toMatch(/^agentsmith-[0-9a-f]{20}$/);
  expect(jobName('github~github.com~org%2Fmy-api~7')).not.toBe(jobName('github~github.com~org%2Fmy-api~8'));
});

test('a plain pipeline: one try, in time, without a token, and nothing that can be read in it', () => {
  const request = jobRequest({ timeoutMs: 1_500 });
  const job = jobManifest(request, request.job, ['AGENTSMITH_RUN_ID']);
  const name = jobName(request.ticket.key);
  expect(job.metadata).toEqual({
    name,
    labels: { 'app.kubernetes.io/managed-by': 'agent-smith', 'agent-smith/run': request.run },
    annotations: {
      'agent-smith/run': request.run,
      'agent-smith/attempt': '1',
      'agent-smith/fence': String(request.fence),
      'agent-smith/ticket': request.ticket.key,
      'agent-smith/project': 'my-api',
      'agent-smith/pipeline': 'fix-bug',
      'agent-smith/secret': `${name}-${request.fence.toString(36)}`,
    },
  });
  expect(job.spec).toMatchObject({
    suspend: true,
    backoffLimit: 0,
    activeDeadlineSeconds: 2,
    ttlSecondsAfterFinished: 3_600,
    template: {
      spec: {
        restartPolicy: 'Never',
        automountServiceAccountToken: false,
        securityContext: { seccompProfile: { type: 'RuntimeDefault' } },
        containers: [
          {
            name: 'work',
            image: 'registry.test/agent:1',
            workingDir: '/workspace',
            securityContext: { allowPrivilegeEscalation: false },
            env: [
              {
                name: 'AGENTSMITH_RUN_ID',
                valueFrom: { secretKeyRef: { key: 'env.AGENTSMITH_RUN_ID' } },
              },
            ],
          },
        ],
      },
    },
  });
  expect(job.spec?.template.spec?.containers[0]).not.toHaveProperty('command');
});

test('all that a pipeline can say has its place', () => {
  const request = jobRequest({
    spec: {
      serviceAccount: 'agent',
      command: ['/run'],
      args: ['--fast'],
      cwd: '/src',
      envFromSecret: ['all'],
      envFromSecretKey: { API_KEY: { secret: 'models', key: 'api-key' } },
      resources: { requests: { cpu: '1' }, limits: { memory: '1Gi' } },
      nodeSelector: { pool: 'agents' },
      tolerations: [{ key: 'agents', operator: 'Exists', effect: 'NoSchedule' }],
      labels: { team: 'payments', 'app.kubernetes.io/managed-by': 'somebody' },
      annotations: { note: 'x' },
      imagePullPolicy: 'Always',
      imagePullSecrets: ['registry'],
      runAsUser: 1000,
      runAsGroup: 1001,
      runAsNonRoot: true,
    },
  });
  const job = jobManifest(request, request.job, []);
  expect(job.metadata?.labels).toMatchObject({ team: 'payments', 'app.kubernetes.io/managed-by': 'agent-smith' });
  expect(job.spec?.template.metadata).toMatchObject({ labels: job.metadata?.labels, annotations: { note: 'x' } });
  expect(job.spec?.template.spec).toMatchObject({
    serviceAccountName: 'agent',
    automountServiceAccountToken: true,
    nodeSelector: { pool: 'agents' },
    tolerations: [{ key: 'agents', operator: 'Exists', effect: 'NoSchedule' }],
    imagePullSecrets: [{ name: 'registry' }],
    securityContext: { runAsNonRoot: true, runAsUser: 1000, runAsGroup: 1001 },
    containers: [
      {
        command: ['/run'],
        args: ['--fast'],
        workingDir: '/src',
        imagePullPolicy: 'Always',
        env: [{ name: 'API_KEY', valueFrom: { secretKeyRef: { name: 'models', key: 'api-key' } } }],
        envFrom: [{ secretRef: { name: 'all' } }],
        resources: { requests: { cpu: '1' }, limits: { memory: '1Gi' } },
        securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
      },
    ],
  });
});

test('the Secret belongs to its Job, and cannot be changed', () => {
  const job: SeenJob = {
    name: 'agentsmith-1',
    uid: 'u1',
    resourceVersion: '1',
    run: 'R1',
    fence: 1,
    released: false,
    secret: 'agentsmith-1-1',
    deleting: false,
    state: { kind: 'active' },
  };
  const secret = secretManifest(job, { ticket: '{"title":"Übel"}\n', variables: { KEY: 'valuable' } });
  expect(secret).toMatchObject({
    metadata: {
      name: 'agentsmith-1-1',
      labels: { 'agent-smith/run': 'R1' },
      ownerReferences: [{ apiVersion: 'batch/v1', kind: 'Job', name: 'agentsmith-1', uid: 'u1' }],
    },
    immutable: true,
  });
  const text = (key: string): string => Buffer.from(secret.data?.[key] ?? '', 'base64').toString();
  expect([text('ticket.json'), text('env.KEY')]).toEqual(['{"title":"Übel"}\n', 'valuable']);
});

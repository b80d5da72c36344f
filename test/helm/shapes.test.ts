/** The chart in the shapes that people install it in: what holds for each of them. */
import { globSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { problemsOf } from './check-manifest.ts';
import { CHART, helmIsHere, lint, renderShape } from './helm.ts';
import { environmentOf, type Manifest, ofKind, podOf, serverOf, the } from './manifests.ts';
import { loadMounted } from './mounted-config.ts';

const DEFAULT = 'default values';
const SHAPES = [
  'minimal-trial',
  'polling-behind-firewall',
  'webhooks-ingress',
  'jobs',
  'sentinel',
  'cluster',
  'proxy-and-ca',
];

test('the values of every shape are here', () => {
  const files = globSync('*.yaml', { cwd: path.join(CHART, 'ci') }).map((file) => path.basename(file, '.yaml'));
  expect(new Set(files)).toEqual(new Set(SHAPES));
});

describe.skipIf(!helmIsHere)('rendered by helm', () => {
  const rendered = new Map<string, readonly Manifest[]>();

  beforeAll(async () => {
    const all = [DEFAULT, ...SHAPES].map(async (name) => {
      rendered.set(name, await renderShape(name === DEFAULT ? undefined : name));
    });
    await Promise.all(all);
  });

  test('lint has nothing to say', async () => {
    expect(await lint()).toContain('1 chart(s) linted, 0 chart(s) failed');
  });

  test('the check of manifests finds a wrong type, a missing field and an unknown one', async () => {
    const [service] = ofKind(rendered.get(DEFAULT) ?? [], 'Service');
    const withPort = (port: object) => ({ apiVersion: 'v1', kind: 'Service', ...service, spec: { ports: [port] } });
    expect(await problemsOf(withPort({ port: 1 }))).toEqual([]);
    expect(await problemsOf(withPort({ port: 'x' }))).toEqual([expect.stringContaining('integer')]);
    expect(await problemsOf(withPort({}))).toEqual([expect.stringContaining('required property port')]);
    const unknown = 'spec.ports.0.targetport: no such field';
    expect(await problemsOf(withPort({ port: 1, targetport: 2 }))).toEqual([unknown]);
  });

  describe.each([DEFAULT, ...SHAPES])('%s', (name) => {
    const manifests = (): readonly Manifest[] => rendered.get(name) ?? [];

    test('every manifest is one that a cluster takes', async () => {
      const found = await Promise.all(
        manifests().map(async (manifest) => ({ kind: manifest.kind, problems: await problemsOf(manifest) })),
      );
      expect(found.length).toBeGreaterThan(4);
      expect(found.filter(({ problems }) => problems.length > 0)).toEqual([]);
    });

    test('the server loads the mounted configuration and has nothing to say about it', async () => {
      const { catalog, findings } = await loadMounted(manifests());
      expect(catalog.projects).toHaveLength(name === DEFAULT ? 0 : 1);
      // The file of a Secret is not there outside of a pod.
      const isExpected = (code: string, text: string) => code === 'no-projects' || text.includes('/secrets/');
      expect(findings.filter(({ code, text }) => !isExpected(code, text))).toEqual([]);
    });

    test('a pod has the time to end that its configuration asks for', async () => {
      const { agent } = await loadMounted(manifests());
      expect(podOf(manifests()).spec.terminationGracePeriodSeconds).toBe(5 + agent.shutdownGraceSeconds + 25);
    });

    test('probes ask /health and /health/ready on the port of the server', () => {
      const { ports, livenessProbe, readinessProbe, startupProbe } = serverOf(manifests());
      expect(ports).toContainEqual({ name: 'http', containerPort: Number(environmentOf(manifests())['PORT']) });
      expect(livenessProbe.httpGet).toEqual({ path: '/health', port: 'http' });
      expect(startupProbe.httpGet).toEqual({ path: '/health', port: 'http' });
      expect(readinessProbe.httpGet).toEqual({ path: '/health/ready', port: 'http' });
    });

    test('nothing runs as root, writes outside of its volumes, or gains a right', () => {
      const workloads = [...ofKind(manifests(), 'Deployment'), ...ofKind(manifests(), 'StatefulSet')];
      const pods = workloads.map(({ spec }) => spec.template.spec);
      expect(pods.length).toBeGreaterThan(0);
      for (const { securityContext, containers } of pods) {
        const user = { runAsNonRoot: true, runAsUser: 65532, seccompProfile: { type: 'RuntimeDefault' } };
        expect(securityContext).toMatchObject(user);
        const least = {
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        };
        expect(containers.map((container) => container.securityContext)).toEqual(containers.map(() => least));
      }
    });

    test('no secret is in a manifest: variables name the Secret that holds them', () => {
      expect(ofKind(manifests(), 'Secret')).toEqual([]);
      const secrets = serverOf(manifests()).env.filter((variable) => /TOKEN|SECRET|PASSWORD|KEY/.test(variable.name));
      expect(secrets.filter(({ value }) => value !== undefined)).toEqual([]);
    });

    test('the configuration is mounted as a folder, so that it can change', () => {
      const { volumeMounts } = serverOf(manifests());
      expect(volumeMounts).toContainEqual({ name: 'config', mountPath: '/config', readOnly: true });
      expect(volumeMounts.filter(({ subPath }) => subPath !== undefined)).toEqual([]);
    });

    test('what a manifest refers to is there', () => {
      const { metadata, spec } = podOf(manifests());
      const deployment = the(manifests(), 'Deployment');
      expect(spec.serviceAccountName).toBe(the(manifests(), 'ServiceAccount').metadata.name);
      const volumes = new Set(spec.volumes.map((volume) => volume.name));
      expect(new Set(serverOf(manifests()).volumeMounts.map((mount) => mount.name))).toEqual(volumes);

      const [service] = ofKind(manifests(), 'Service').filter((one) => one.metadata.name === deployment.metadata.name);
      expect(metadata.labels).toMatchObject(service?.spec.selector ?? { missing: true });
      const ports = serverOf(manifests()).ports.map((port) => port.name);
      expect(service?.spec.ports.map(({ targetPort }) => targetPort)).toEqual(ports);

      for (const budget of ofKind(manifests(), 'PodDisruptionBudget')) {
        expect(metadata.labels).toMatchObject(budget.spec.selector.matchLabels);
      }
      for (const monitor of ofKind(manifests(), 'ServiceMonitor')) {
        expect(service?.metadata.labels).toMatchObject(monitor.spec.selector.matchLabels ?? { missing: true });
        expect(service?.spec.ports.map((port) => port.name)).toEqual(expect.arrayContaining(['http']));
      }
      const scalers = [...ofKind(manifests(), 'HorizontalPodAutoscaler'), ...ofKind(manifests(), 'ScaledObject')];
      for (const { spec: scaler } of scalers) {
        expect(scaler.scaleTargetRef.name).toBe(deployment.metadata.name);
        expect(deployment.spec.replicas).toBeUndefined();
      }
    });

    test('only Jobs get a token of the cluster, and rights', () => {
      const isJobs = name === 'jobs';
      expect(podOf(manifests()).spec.automountServiceAccountToken).toBe(isJobs);
      expect(ofKind(manifests(), 'Role')).toHaveLength(isJobs ? 2 : 0);
      expect(ofKind(manifests(), 'ClusterRole')).toEqual([]);
    });

    test('replicas come before others go, and one at a time may be taken away', () => {
      const { replicas, strategy } = the(manifests(), 'Deployment').spec;
      expect(strategy.rollingUpdate).toEqual({ maxUnavailable: 0, maxSurge: 1 });
      expect(replicas ?? 2).toBeGreaterThan(1);
      expect(the(manifests(), 'PodDisruptionBudget').spec.maxUnavailable).toBe(name === 'cluster' ? '40%' : 1);
    });
  });
});

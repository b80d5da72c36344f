/** The parts of the chart that only some installations have, and what follows from the configuration. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { parseRedisUrl } from '../../src/redis/address.ts';
import { RIGHTS } from '../../src/worker/runners/kubernetes/rights.ts';
import { helmIsHere, render, renderShape } from './helm.ts';
import { environmentOf, type Manifest, type OfKind, ofKind, only, podOf, the } from './manifests.ts';
import { loadMounted } from './mounted-config.ts';

const tickets = { type: 'GitHub', url: 'https://github.com/o/r' };

type Policy = OfKind<'NetworkPolicy'>['spec'];

/** The policy of the server. */
function policyOf(manifests: readonly Manifest[]): Policy {
  const { name } = the(manifests, 'Deployment').metadata;
  return only(ofKind(manifests, 'NetworkPolicy').filter(({ metadata }) => metadata.name === name)).spec;
}

function portsOf(rules: readonly { readonly ports: readonly { readonly port: unknown }[] }[]): readonly unknown[] {
  return rules.flatMap(({ ports }) => ports.map(({ port }) => port));
}

describe.skipIf(!helmIsHere)('network', () => {
  test('where only polling is used, nothing comes in but metrics and probes', async () => {
    const { policyTypes, ingress } = policyOf(await renderShape('polling-behind-firewall'));
    expect(policyTypes).toEqual(['Ingress', 'Egress']);
    const ports = [{ port: 'http', protocol: 'TCP' }];
    expect(ingress).toEqual([
      { from: [{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'monitoring' } } }], ports },
      { from: [{ ipBlock: { cidr: '10.0.0.0/16' } }], ports },
    ]);
  });

  test.each([
    ['polling-behind-firewall', [53, 53, 6379, 443]],
    ['sentinel', [53, 53, 6379, 26_379, 443]],
    ['proxy-and-ca', [53, 53, 6379, 3128]],
    ['jobs', [53, 53, 6379, 443, 443, 6443]],
  ])('%s goes out to DNS, Redis, the trackers or the proxy, and to the cluster for Jobs alone', async (name, ports) => {
    expect(portsOf(policyOf(await renderShape(name)).egress)).toEqual(ports);
  });

  test('with the Redis of a trial, only the two speak to each other', async () => {
    const manifests = await render({ trialRedis: { enabled: true }, networkPolicy: { enabled: true } });
    const { podSelector } = only(only(policyOf(manifests).egress.filter(({ to }) => to !== undefined)).to);
    expect(podSelector.matchLabels).toEqual(the(manifests, 'StatefulSet').spec.selector.matchLabels);
    const own = only(ofKind(manifests, 'NetworkPolicy').filter(({ metadata }) => metadata.name.endsWith('-redis')));
    const { from } = only(own.spec.ingress);
    expect(only(from).podSelector.matchLabels).toEqual(the(manifests, 'Deployment').spec.selector.matchLabels);
  });

  test('webhooks and callbacks come in by the Ingress, and nothing else does', async () => {
    const manifests = await renderShape('webhooks-ingress');
    const backend = { service: { name: 'trial-agentsmith', port: { name: 'webhooks' } } };
    expect(only(the(manifests, 'Ingress').spec.rules).http.paths).toEqual([
      { path: '/webhook', pathType: 'Prefix', backend },
      { path: '/callback', pathType: 'Prefix', backend },
    ]);
    expect(portsOf(policyOf(manifests).ingress)).toEqual(['http', 'webhooks']);
  });

  test('without a listener of their own webhooks go to the port of the server', async () => {
    const manifests = await render({ ingress: { enabled: true, host: 'a.example' } });
    const { paths } = only(the(manifests, 'Ingress').spec.rules).http;
    expect(paths.map(({ path, backend }) => [path, backend.service.port.name])).toEqual([
      ['/webhook', 'http'],
      ['/callback', 'http'],
    ]);
  });

  test('a proxy and a CA reach Node by its own variables', async () => {
    const env = environmentOf(await renderShape('proxy-and-ca'));
    expect(env).toMatchObject({
      NODE_USE_ENV_PROXY: '1',
      HTTPS_PROXY: 'http://proxy.corp.example:3128',
      HTTP_PROXY: 'http://proxy.corp.example:3128',
      NODE_EXTRA_CA_CERTS: '/ca/ca-bundle.pem',
    });
    const direct = ['127.0.0.1', '.svc', '$(KUBERNETES_SERVICE_HOST)', 'gitlab.corp.example'];
    expect(env['NO_PROXY']?.split(',')).toEqual(expect.arrayContaining(direct));
  });

  test('a proxy with a password comes from a Secret', async () => {
    const secretEnv = { HTTPS_PROXY: { secret: 'proxy', key: 'url' } };
    expect(environmentOf(await render({ secretEnv }))).toMatchObject({ NODE_USE_ENV_PROXY: '1' });
  });
});

describe.skipIf(!helmIsHere)('Jobs', () => {
  test('get the rights that their runner needs and no others, in their namespaces', async () => {
    const manifests = await renderShape('jobs');
    const roles = ofKind(manifests, 'Role');
    expect(roles.map(({ metadata }) => metadata.namespace)).toEqual(['agent-smith-jobs', 'agents']);
    const needed = RIGHTS.map(({ verb, resource }) => `${verb} ${resource}`).toSorted();
    for (const { rules } of roles) {
      const given = rules.flatMap(({ apiGroups, resources, verbs }) =>
        verbs.flatMap((verb) => resources.map((name) => `${verb} ${[name, ...apiGroups].filter(Boolean).join('.')}`)),
      );
      expect(given.toSorted()).toEqual(needed);
    }
    const bindings = ofKind(manifests, 'RoleBinding');
    const account = {
      kind: 'ServiceAccount',
      name: the(manifests, 'ServiceAccount').metadata.name,
      namespace: 'agents',
    };
    expect(bindings.map(({ metadata, subjects }) => [metadata.namespace, subjects])).toEqual([
      ['agent-smith-jobs', [account]],
      ['agents', [account]],
    ]);
    expect(new Set(bindings.map(({ roleRef }) => roleRef.name))).toEqual(
      new Set(roles.map(({ metadata }) => metadata.name)),
    );
  });

  test('are counted by KEDA: a metric that there is, and as many runs to a replica as it has slots', async () => {
    const { metadata } = only(the(await renderShape('jobs'), 'ScaledObject').spec.triggers);
    const query = /(agentsmith_\w+)\{namespace="agents",service="trial-agentsmith"/.exec(metadata['query'] ?? '');
    const metrics = readFileSync(new URL('../../src/server/metrics.ts', import.meta.url), 'utf8');
    expect(metrics).toContain(`name: '${query?.[1]}'`);
    expect(metadata['threshold']).toBe('20');
  });
});

describe.skipIf(!helmIsHere)('configuration', () => {
  test('labels keep the order of their list', async () => {
    const [project] = (await loadMounted(await renderShape('polling-behind-firewall'))).catalog.projects;
    expect([...(project?.routing.pipelineFromLabel.keys() ?? [])]).toEqual(['security-review', 'agent-smith']);
  });

  test('a script is mounted as what it is: an executable file', async () => {
    const manifests = await renderShape('minimal-trial');
    const { configMap } = only(podOf(manifests).spec.volumes.filter(({ name }) => name === 'config'));
    const script = { key: 'pipelines.fix-bug.sh', path: 'pipelines/fix-bug.sh', mode: 0o555 };
    expect(configMap.items).toContainEqual(script);
    expect([...(await loadMounted(manifests)).catalog.pipelines.keys()]).toEqual(['fix-bug']);
  });

  test('the Redis of a trial keeps what it is given, and is the one that the server is told of', async () => {
    const manifests = await renderShape('minimal-trial');
    const { host } = new URL(`http://${environmentOf(manifests)['REDIS_URL']?.replace(/^redis:\/\//, '')}`);
    const address = parseRedisUrl(environmentOf(manifests)['REDIS_URL'] ?? '');
    expect(address).toMatchObject({ ok: true });
    const names = ofKind(manifests, 'Service').map(({ metadata }) => `${metadata.name}:6379`);
    expect(names).toContain(host);
    const { command } = only(the(manifests, 'StatefulSet').spec.template.spec.containers);
    expect(command.join(' ')).toContain('--appendonly yes');
    expect(command.join(' ')).toContain('--maxmemory-policy noeviction');
  });

  test('pods are replaced for what wants a restart, and not for what is reloaded', async () => {
    const stampOf = async (config: object): Promise<string | undefined> =>
      podOf(await render({ config })).metadata.annotations['agent-smith/restart'];
    const [before, reloaded, ...restarted] = await Promise.all([
      stampOf({ projects: { a: { tickets } } }),
      stampOf({ projects: { a: { tickets, polling: { enabled: true } } } }),
      stampOf({ projects: { a: { tickets } }, redis: { namespace: 'b' } }),
      stampOf({ projects: { a: { tickets, agent: { queue: { max_parallel_jobs: 9 } } } } }),
    ]);
    expect(reloaded).toBe(before);
    expect(new Set([before, ...restarted]).size).toBe(3);
  });

  const grace = (seconds: unknown) => ({ queue: { shutdown_grace_seconds: seconds } });

  test.each<[string, object, number]>([
    ['of agent', { agent: grace(90) }, 120],
    ['of the old section, under that of agent', { ...grace(7), agent: {} }, 37],
    ['of a project, over the others', { agent: grace(9), projects: { a: { agent: grace(50) } } }, 80],
    ['of parts of a second', { agent: grace(0.5) }, 31],
    ['none', { agent: grace(0) }, 30],
  ])('the time to end follows the grace %s', async (_whose, config, expected) => {
    const { spec } = podOf(await render({ config: { projects: {}, ...config } }));
    expect(spec.terminationGracePeriodSeconds).toBe(expected);
  });

  test('a cluster that gives out user ids itself gets a pod without one', async () => {
    const manifests = await render({ podSecurityContext: { runAsUser: null, runAsGroup: null, fsGroup: null } });
    const { securityContext } = podOf(manifests).spec;
    expect(securityContext).toEqual({ runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } });
  });

  test('a grace that only the server knows has its time to end set by hand', async () => {
    const config = { projects: {}, agent: grace('${GRACE}') };
    const { spec } = podOf(await render({ config, terminationGracePeriodSeconds: 500 }));
    expect(spec.terminationGracePeriodSeconds).toBe(500);
  });
});

describe.skipIf(!helmIsHere)('what watches it', () => {
  test('nothing, unless it is asked for', async () => {
    const manifests = await renderShape();
    expect(ofKind(manifests, 'PrometheusRule')).toEqual([]);
    expect(ofKind(manifests, 'ConfigMap').map(({ metadata }) => metadata.name)).toEqual(['trial-agentsmith']);
  });

  test('the alerts of the file, as they are, with a runbook that can be followed', async () => {
    const { metadata, spec } = the(await renderShape('polling-behind-firewall'), 'PrometheusRule');
    expect(metadata.labels).toMatchObject({ release: 'prometheus' });
    const file = readFileSync(new URL('../../helm/agentsmith/files/alerts.yaml', import.meta.url), 'utf8');
    const base = 'https://git.example.com/agent-smith/blob/main/';
    expect(spec).toEqual(parse(file.replaceAll('runbook_url: docs/', `runbook_url: ${base}docs/`)));
  });

  test('the dashboard of the file, as it is, where the sidecar of Grafana looks', async () => {
    const configMaps = ofKind(await renderShape('polling-behind-firewall'), 'ConfigMap');
    const { metadata, data } = only(configMaps.filter((one) => one.metadata.name === 'trial-agentsmith-dashboard'));
    expect(metadata.labels).toMatchObject({ grafana_dashboard: '1' });
    expect(metadata.annotations).toEqual({ grafana_folder: 'Agents' });
    const file = readFileSync(new URL('../../helm/agentsmith/files/dashboard.json', import.meta.url), 'utf8');
    expect(data).toEqual({ 'agent-smith.json': file });
  });
});

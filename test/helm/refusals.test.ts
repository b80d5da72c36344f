/** A mistake in the values is refused before anything is installed, in words that say where it is and what to do. */
import { describe, expect, test } from 'vitest';
import { helmIsHere, refusalOf } from './helm.ts';

const tickets = { type: 'GitHub', url: 'https://github.com/o/r' };
const withProject = (more: object) => ({ config: { projects: { a: { tickets, ...more } } } });
const withPipeline = (more: object) => ({ config: { projects: {}, pipelines: { a: more } } });

describe.skipIf(!helmIsHere)('helm refuses', () => {
  test.each<[string, object, string]>([
    ['an unknown value', { replica: 3 }, 'Additional property replica is not allowed'],
    ['a value of another kind', { replicas: 'two' }, 'replicas: Invalid type. Expected: integer, given: string'],
    [
      'a typo in the configuration',
      withProject({ poling: {} }),
      'config.projects.a: Additional property poling is not allowed',
    ],
    [
      'an interval below a second',
      withProject({ polling: { interval_seconds: 0 } }),
      'config.projects.a.polling.interval_seconds: Must be greater than or equal to 1',
    ],
    [
      'two runners of one pipeline',
      withPipeline({ command: ['true'], http: { url: 'https://a.example' } }),
      'config.pipelines.a: Must validate one and only one schema',
    ],
    [
      'labels whose order would be lost',
      withProject({ github_trigger: { pipeline_from_label: { b: 'x', a: 'z' } } }),
      'config.projects.a.github_trigger.pipeline_from_label: the first label that a ticket carries wins, and Helm forgets the order of keys. Write a list',
    ],
    [
      'a token that is written out',
      withProject({ tickets: { ...tickets, auth: { token: 'ghp_plain' } } }),
      'config.projects.a.tickets.auth.token is a secret, and values are not kept secret: write ${VARIABLE}',
    ],
    [
      'a webhook secret that is written out',
      withProject({ webhook: { secrets: ['${NEW}', 'plain'] } }),
      'config.projects.a.webhook.secrets[1] is a secret',
    ],
    [
      'a secret in the environment of a pipeline',
      withPipeline({ command: ['true'], env: { API_KEY: 'plain' } }),
      'config.pipelines.a.env.API_KEY is a secret',
    ],
    [
      'a secret in a header',
      withPipeline({ http: { url: 'https://a.example', headers: { Authorization: 'Bearer plain' } } }),
      'config.pipelines.a.http.headers.Authorization is a secret',
    ],
    [
      'a secret among plain variables',
      { env: { GITHUB_TOKEN: 'plain' } },
      'env.GITHUB_TOKEN is a secret, and values are not kept secret: put it into a Secret, and set secretEnv.GITHUB_TOKEN',
    ],
    ['a password in an address', { env: { REDIS_URL: 'redis://:plain@redis' } }, 'set secretEnv.REDIS_URL'],
    ['a password in the proxy', { proxy: { url: 'http://user:plain@proxy:1' } }, 'proxy.url holds a password'],
    ['a variable that the chart sets', { env: { PORT: '1' } }, 'env.PORT is set by the chart: see service'],
    [
      'a second Redis',
      { trialRedis: { enabled: true }, secretEnv: { REDIS_URL: { secret: 'a', key: 'b' } } },
      'secretEnv.REDIS_URL is set by the chart: see trialRedis',
    ],
    [
      'less time to end than jobs are given',
      { terminationGracePeriodSeconds: 59 },
      'terminationGracePeriodSeconds: 59 is too short for shutdown_grace_seconds: 30. At least 60 are needed',
    ],
    [
      'a grace that only the server knows',
      { config: { projects: {}, agent: { queue: { shutdown_grace_seconds: '${GRACE}' } } } },
      'config.agent.queue.shutdown_grace_seconds is ${GRACE}, which the chart cannot read',
    ],
    [
      'a listener that nothing reaches',
      { config: { projects: {}, webhooks: { listen_port: 8082 } } },
      'config.webhooks.listen_host: nothing outside of the pod reaches 127.0.0.1',
    ],
    ['an Ingress without a host', { ingress: { enabled: true } }, 'ingress.host: the name by which'],
    [
      'an Ingress where no webhook is taken',
      { ingress: { enabled: true, host: 'a.example' }, config: { projects: {}, event_engine: 'polling' } },
      'ingress.enabled: with config.event_engine: polling no webhook is taken',
    ],
    [
      'two that scale',
      { keda: { enabled: true, prometheus: 'http://p' }, autoscaling: { enabled: true } },
      'keda and autoscaling: only one',
    ],
    ['KEDA without Prometheus', { keda: { enabled: true } }, 'keda.prometheus: the address'],
    ['a CA from two places', { ca: { configMap: 'a', secret: 'b' } }, 'ca: either configMap or secret'],
    [
      'Jobs in a namespace that the chart cannot know',
      withPipeline({ kubernetes_job: { image: 'a', namespace: '${NS}' } }),
      'config.pipelines.a.kubernetes_job.namespace: the chart grants its rights there',
    ],
  ])('%s', async (_mistake, values, message) => {
    expect(await refusalOf(values)).toContain(message);
  });

  test('nothing of what is well written', async () => {
    const project = {
      tickets: { ...tickets, auth: { token: '${MY_TOKEN}' } },
      webhook: { secret: '${MY_SECRET}' },
      github_trigger: { pipeline_from_label: [{ b: 'x' }, { 'secret-scan': 'z' }] },
    };
    const pipeline = { command: ['true'], env: { API_KEY: '${KEY:-}', MODE: 'careful' } };
    const config = { projects: { a: project }, pipelines: { a: pipeline } };
    expect(await refusalOf({ config, env: { REDIS_URL: 'redis://redis:6379', HOME: '/tmp' } })).toBe('');
  });
});

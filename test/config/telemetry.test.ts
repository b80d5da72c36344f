/** Where traces go, by the file and by the variables of OpenTelemetry. */
import { expect, test } from 'vitest';
import type { Environment } from '../../src/config/expand.ts';
import { load, problemsOf } from './load-text.ts';

const ENDPOINT = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318' };

async function traces(section: string, env: Environment = {}) {
  const { traces: settings, secrets, findings } = await load(`projects: {}\n${section}`, env);
  const texts = findings.filter(({ code }) => code === 'telemetry-variable').map(({ text }) => text);
  return { settings, target: secrets.traceTarget(), secrets: secrets.all(), findings: texts };
}

test.each<[string, string, Environment]>([
  ['nothing is said', '', {}],
  ['no endpoint is named', 'telemetry: { service_name: smith, sample_ratio: 1 }', { OTEL_SERVICE_NAME: 'smith' }],
  ['the variable is empty', '', { OTEL_EXPORTER_OTLP_ENDPOINT: '' }],
  ['the SDK is disabled', '', { ...ENDPOINT, OTEL_SDK_DISABLED: 'TRUE' }],
  ['another exporter is asked for', '', { ...ENDPOINT, OTEL_TRACES_EXPORTER: 'none' }],
  ['no trace is to be sent', 'telemetry: { sample_ratio: 0 }', ENDPOINT],
  ['no trace is to be sampled', '', { ...ENDPOINT, OTEL_TRACES_SAMPLER: 'parentbased_always_off' }],
])('they are off where %s', async (_, section, env) => {
  expect(await traces(section, env)).toMatchObject({ settings: undefined, target: undefined, findings: [] });
});

test('the variables of OpenTelemetry are enough', async () => {
  const env = {
    OTEL_EXPORTER_OTLP_ENDPOINT: 'https://collector.test/base/',
    OTEL_EXPORTER_OTLP_HEADERS: 'api-key=abc%20def, x-team = smiths ,broken,worse=%zz',
    OTEL_EXPORTER_OTLP_TRACES_HEADERS: 'x-team=tracers',
    OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=test,service.name=overruled',
    OTEL_SERVICE_NAME: 'my-smith',
    OTEL_TRACES_SAMPLER: 'parentbased_traceidratio',
    OTEL_TRACES_SAMPLER_ARG: '0.25',
  };
  const { settings, target, secrets, findings } = await traces('', env);
  expect(target).toEqual({
    url: 'https://collector.test/base/v1/traces',
    headers: { 'api-key': 'abc def', 'x-team': 'tracers' },
  });
  expect(settings).toMatchObject({
    serviceName: 'my-smith',
    sampleRatio: 0.25,
    resource: { 'deployment.environment.name': 'test' },
  });
  expect(secrets).toContain('abc def');
  expect(findings).toEqual([]);
});

test('what is for traces alone is taken as it is, and the file wins over both', async () => {
  const env = {
    ...ENDPOINT,
    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://traces:9/own',
    OTEL_SERVICE_NAME: 'theirs',
    KEY: 'key-of-the-file',
  };
  expect((await traces('', env)).target?.url).toBe('http://traces:9/own');
  const section = `telemetry:
  endpoint: "http://user:pass-of-the-file@here:4318"
  headers: { Authorization: "Bearer \${KEY}" }
  service_name: ours
  sample_ratio: 0.5`;
  const { settings, target, secrets } = await traces(section, { ...env, OTEL_TRACES_SAMPLER: 'always_on' });
  expect(target).toEqual({
    url: 'http://user:pass-of-the-file@here:4318/v1/traces',
    headers: { Authorization: 'Bearer key-of-the-file' },
  });
  expect(settings).toMatchObject({ serviceName: 'ours', sampleRatio: 0.5 });
  expect(secrets).toEqual(expect.arrayContaining(['Bearer key-of-the-file', 'key-of-the-file', 'pass-of-the-file']));
  expect(JSON.stringify(settings)).not.toContain('the-file');
});

test.each<[Environment, RegExp, boolean]>([
  [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'collector:4317' }, /OTEL_EXPORTER_OTLP_ENDPOINT is not .* off/, false],
  [{ ...ENDPOINT, OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' }, /grpc/, true],
  [{ ...ENDPOINT, OTEL_TRACES_SAMPLER: 'jaeger_remote' }, /OTEL_TRACES_SAMPLER is none/, true],
  [{ ...ENDPOINT, OTEL_TRACES_SAMPLER: 'traceidratio', OTEL_TRACES_SAMPLER_ARG: 'half' }, /SAMPLER_ARG/, true],
])('a variable that is of no use is a warning and keeps nothing from starting: %j', async (env, says, isOn) => {
  const { settings, findings } = await traces('', env);
  expect(findings).toEqual([expect.stringMatching(says)]);
  expect(settings?.sampleRatio).toBe(isOn ? 1 : undefined);
});

test('a mistake in the file is an error like others', async () => {
  expect(
    await problemsOf('projects: {}\ntelemetry: { endpoint: "collector:4318", sample_ratio: 2, enpoint: x }'),
  ).toHaveLength(3);
});

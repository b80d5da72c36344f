/**
 * Where traces go: `telemetry` of the file, and for what that leaves open the environment variables that OpenTelemetry has
 * for it. Traces are on where either names an endpoint. A variable that is of no use is a warning and no problem: such
 * variables are often set for a whole cluster, and traces are no reason not to run.
 */
import type { Environment } from './expand.ts';
import { type ConfigFinding, warning } from './findings.ts';
import type { ConfigFile } from './schema.ts';

/** Without what may be secret: that is in `TraceTarget`. */
export interface TraceSettings {
  readonly serviceName: string;
  /** 0 to 1, above 0. */
  readonly sampleRatio: number;
  /** Further attributes of everything that this process sends. */
  readonly resource: Readonly<Record<string, string>>;
}

/** May hold secrets. */
export interface TraceTarget {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
}

export interface Telemetry {
  /** Undefined: traces are off. */
  readonly traces?: { readonly settings: TraceSettings; readonly target: TraceTarget };
  readonly findings: readonly ConfigFinding[];
}

const OFF: Telemetry = { findings: [] };
const PATH = 'v1/traces';

export function telemetryOf({ telemetry = {} }: ConfigFile, env: Environment): Telemetry {
  if (isOff(env)) return OFF;
  const named = endpointOf(telemetry.endpoint, env);
  if (named === undefined) return OFF;
  const findings: ConfigFinding[] = [];
  const warn = (text: string): undefined => {
    findings.push(warning('telemetry-variable', text));
  };
  const url = urlOf(named.text) ?? warn(`${named.from} is not an http(s) URL: traces are off`);
  if (url === undefined) return { findings };
  const protocol = env.OTEL_EXPORTER_OTLP_TRACES_PROTOCOL || env.OTEL_EXPORTER_OTLP_PROTOCOL;
  if (protocol === 'grpc') warn('OTEL_EXPORTER_OTLP_PROTOCOL is grpc: traces are sent by HTTP, mostly to port 4318');
  const sampleRatio = telemetry.sample_ratio ?? sampledRatio(env, warn);
  if (sampleRatio === 0) return { findings };
  const attributes = pairsOf(env.OTEL_RESOURCE_ATTRIBUTES);
  const serviceName = telemetry.service_name ?? (env.OTEL_SERVICE_NAME || attributes['service.name']) ?? 'agent-smith';
  const headers = {
    ...pairsOf(env.OTEL_EXPORTER_OTLP_HEADERS),
    ...pairsOf(env.OTEL_EXPORTER_OTLP_TRACES_HEADERS),
    ...telemetry.headers,
  };
  return {
    traces: { settings: { serviceName, sampleRatio, resource: attributes }, target: { url, headers } },
    findings,
  };
}

function isOff(env: Environment): boolean {
  const exporter = env.OTEL_TRACES_EXPORTER || 'otlp';
  return env.OTEL_SDK_DISABLED?.toLowerCase() === 'true' || !exporter.split(',').includes('otlp');
}

function endpointOf(inFile: string | undefined, env: Environment): { text: string; from: string } | undefined {
  if (inFile !== undefined) return { text: below(inFile), from: 'telemetry.endpoint' };
  const ofTraces = env.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT;
  if (ofTraces) return { text: ofTraces, from: 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT' };
  const ofAll = env.OTEL_EXPORTER_OTLP_ENDPOINT;
  return ofAll ? { text: below(ofAll), from: 'OTEL_EXPORTER_OTLP_ENDPOINT' } : undefined;
}

function below(base: string): string {
  return `${base.replace(/\/+$/, '')}/${PATH}`;
}

function urlOf(text: string): string | undefined {
  const url = URL.parse(text);
  return url !== null && /^https?:$/.test(url.protocol) ? url.href : undefined;
}

/** There is no caller whose decision could be followed, so `parentbased_` makes no difference. */
function sampledRatio(env: Environment, warn: (text: string) => undefined): number {
  const sampler = (env.OTEL_TRACES_SAMPLER ?? '').replace(/^parentbased_/, '');
  switch (sampler) {
    case '':
    case 'always_on':
      return 1;
    case 'always_off':
      return 0;
    case 'traceidratio': {
      const ratio = Number(env.OTEL_TRACES_SAMPLER_ARG || 1);
      if (ratio >= 0 && ratio <= 1) return ratio;
      warn('OTEL_TRACES_SAMPLER_ARG is not a number from 0 to 1: every trace is sent');
      return 1;
    }
    default:
      warn('OTEL_TRACES_SAMPLER is none that is known here: every trace is sent');
      return 1;
  }
}

/** `name=value,name=value`, both percent-encoded; what is not of that form is left out, as OpenTelemetry asks. */
function pairsOf(text = ''): Record<string, string> {
  const pairs = text.split(',').flatMap((pair) => {
    const at = pair.indexOf('=');
    if (at <= 0) return [];
    try {
      return [[decodeURIComponent(pair.slice(0, at).trim()), decodeURIComponent(pair.slice(at + 1).trim())]];
    } catch {
      // Not percent-encoded after all.
      return [];
    }
  });
  return Object.fromEntries(pairs) as Record<string, string>;
}

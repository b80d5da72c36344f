/** The chart as people use it: rendered by the real Helm, which is there on Linux. */
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { parseAllDocuments, stringify } from 'yaml';
import type { Manifest } from './manifests.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
export const CHART = path.join(ROOT, 'helm', 'agentsmith');
const HELM = path.join(ROOT, 'node_modules', '.bin', 'helm');
const TEMPLATE = ['template', 'trial', CHART, '--namespace', 'agents'];

/** Asked rather than looked for: the package has one program, which other processors cannot run. */
export const helmIsHere = spawnSync(HELM, ['version']).status === 0;

/** A file of `helm/agentsmith/ci`, rendered; without a name the values that the chart has by itself. */
export async function renderShape(shape?: string): Promise<readonly Manifest[]> {
  const values = shape === undefined ? [] : ['--values', path.join(CHART, 'ci', `${shape}.yaml`)];
  return manifestsOf((await execa(HELM, [...TEMPLATE, ...values])).stdout);
}

export async function render(values: object): Promise<readonly Manifest[]> {
  return manifestsOf((await template(values, true)).stdout);
}

/** What Helm says instead of rendering these values; empty when it renders them. */
export async function refusalOf(values: object): Promise<string> {
  return (await template(values, false)).stderr;
}

export async function lint(): Promise<string> {
  return (await execa(HELM, ['lint', '--strict', CHART])).stdout;
}

async function template(
  values: object,
  reject: boolean,
): Promise<{ readonly stdout: string; readonly stderr: string }> {
  return await execa(HELM, [...TEMPLATE, '--values', '-'], { input: stringify(values), reject });
}

/** Kubernetes reads YAML 1.1: `yes` is true there, and 0555 is octal. */
function manifestsOf(text: string): readonly Manifest[] {
  return parseAllDocuments(text, { version: '1.1' }).flatMap((document) => {
    const found = document.toJS() as Manifest | null;
    return found === null ? [] : [found];
  });
}

/** The configuration as a server in a pod of the chart finds it: the folder that the ConfigMap is mounted as, and the environment. */
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import type { Config } from '../../src/config/config.ts';
import { loadConfig } from '../../src/config/load.ts';
import { formatProblem } from '../../src/config/problems.ts';
import { environmentOf, type Manifest, ofKind, only, podOf } from './manifests.ts';

/** The variables of the Secret `agent-smith`, which the values of the chart's `ci` folder speak of. */
const EXISTING_SECRET = { REDIS_URL: 'redis://r', GITHUB_TOKEN: 't', GITLAB_TOKEN: 't', AZURE_DEVOPS_TOKEN: 't' };

/** Throws with all problems of a configuration that the server would not start with. */
export async function loadMounted(manifests: readonly Manifest[]): Promise<Config> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'agent-smith-mounted-'));
  try {
    await mount(manifests, folder);
    const own = environmentOf(manifests);
    const file = path.join(folder, path.relative('/config', own['AGENTSMITH_CONFIG'] ?? ''));
    const loaded = await loadConfig({ file, env: { ...EXISTING_SECRET, ...own } });
    if (loaded.ok) return loaded.config;
    throw new Error(loaded.problems.map((problem) => formatProblem('agentsmith.yml', problem)).join('\n'));
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function mount(manifests: readonly Manifest[], folder: string): Promise<void> {
  const { configMap } = only(podOf(manifests).spec.volumes.filter(({ name }) => name === 'config'));
  const { data } = only(ofKind(manifests, 'ConfigMap').filter(({ metadata }) => metadata.name === configMap.name));
  for (const { key, path: place, mode } of configMap.items) {
    const file = path.join(folder, place);
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(file, data[key] ?? '');
    await chmod(file, mode ?? 0o644);
  }
}

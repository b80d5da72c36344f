/** Every platform of the house: one folder, one line. */
import { azuredevops } from './azuredevops/index.ts';
import type { PlatformDescriptor } from './descriptor.ts';
import { github } from './github/index.ts';
import { gitlab } from './gitlab/index.ts';
import { jira } from './jira/index.ts';

export const PLATFORMS: readonly PlatformDescriptor[] = [github, gitlab, azuredevops, jira];

/** The platform that `type:` in the YAML names, in any letter case. */
export function platformOfType(type: string): PlatformDescriptor | undefined {
  return PLATFORMS.find((platform) => platform.type.toLowerCase() === type.toLowerCase());
}

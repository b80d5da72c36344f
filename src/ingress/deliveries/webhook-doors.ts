/**
 * Which projects a delivery may reach: those on its route whose secret it proves. What one project's secret has proven
 * starts nothing in another one, whatever the payload says.
 */
import type { Project } from '../../domain/project.ts';
import type { WebhookDialect, WebhookRequest } from '../../platforms/webhook.ts';

/** A project that takes webhooks. */
export interface WebhookDoor {
  readonly project: Project;
  readonly dialect: WebhookDialect;
  /** Newest first. */
  readonly secrets: readonly string[];
  readonly allowUnsigned: boolean;
}

/** Those on a route: all of a platform, or the project that the path names. */
export function doorsOn(
  doors: readonly WebhookDoor[],
  platform: string,
  projectName: string | undefined,
): readonly WebhookDoor[] {
  return doors.filter(
    ({ project }) =>
      project.source.platform === platform && (projectName === undefined || project.name === projectName),
  );
}

/** Those that the request opens; none when it proves nothing and nobody takes it without proof. */
export function doorsOpenTo(request: WebhookRequest, onRoute: readonly WebhookDoor[]): readonly WebhookDoor[] {
  const [first] = onRoute;
  // Projects may share a secret, and each proof costs a hash over the whole body.
  const distinct = new Set(onRoute.flatMap(({ secrets }) => secrets));
  const proven = new Set([...distinct].filter((secret) => first?.dialect.provesSecret(request, secret)));
  return onRoute.filter(({ secrets, allowUnsigned }) => allowUnsigned || secrets.some((secret) => proven.has(secret)));
}

/**
 * By which project's name deliveries of this project may go on record: that of the first one with the same secret on the
 * bare route of the platform, its own where the path names it.
 */
export function slotsOf(project: Project, doors: readonly WebhookDoor[]): string[] {
  const onPlatform = doorsOn(doors, project.source.platform, undefined);
  const own = onPlatform.find((door) => door.project.name === project.name);
  const sharing = onPlatform.find((door) => own?.secrets.some((secret) => door.secrets.includes(secret)));
  return [...new Set([sharing?.project.name ?? project.name, project.name])];
}

/** `agent-smith explain PROJECT TICKET` or a ticket's URL alone: why it is claimed, or why it is not. Writes nothing. */
import type { Explanation, Question } from '../app/inquiry/explain.ts';
import { explainOnce } from '../app/inquiry/explain-once.ts';
import type { Config } from '../config/config.ts';
import type { Trigger } from '../domain/project.ts';
import { sourceKey } from '../domain/ticket.ts';
import { DEFAULT_TIMING } from '../domain/timing.ts';
import { explanationLines } from './explain-text.ts';
import { type ConfigPlace, openConfig } from './open-config.ts';
import { pickTicket } from './pick-ticket.ts';
import { type ExitCode, openLog, printable, UsageError } from './process.ts';
import { outputWidth } from './wrap.ts';

export interface ExplainCommandOptions extends ConfigPlace {
  /** PROJECT TICKET, or a URL. */
  readonly asked: readonly [string] | readonly [string, string];
  readonly trigger?: Trigger | undefined;
  readonly json: boolean;
}

export async function explain(options: ExplainCommandOptions): Promise<ExitCode> {
  const { env, asked, trigger } = options;
  const { file, config } = await openConfig(options);
  const [first, second] = asked;
  const tickets = second === undefined ? findTicket(config, file, first) : [pickedTicket(config, file, first, second)];
  const { log, redactor } = openLog({ ...env, LOG_LEVEL: env.LOG_LEVEL ?? 'error' });
  const explanations = await explainOnce(
    { config, timing: DEFAULT_TIMING, log, redactor },
    tickets.map((ticket) => ({ ...ticket, trigger })),
  );
  const shown = options.json
    ? JSON.stringify(explanations.length === 1 ? explanations[0] : explanations, null, 2)
    : explanations.map((explanation) => asText(explanation, startLabels(config, explanation.project))).join('\n\n');
  // What a platform answered is quoted, and may quote what it was sent.
  console.log(redactor.redact(shown));
  return 0;
}

function asText(explanation: Explanation, startLabels: readonly string[]): string {
  const view = { nowMs: Date.now(), width: outputWidth(), startLabels };
  return explanationLines(explanation, view).map(printable).join('\n').trimEnd();
}

/** Of all projects that watch the same tickets. */
function startLabels({ catalog }: Config, name: string): string[] {
  const asked = catalog.projects.find((project) => project.name === name);
  return catalog.projects
    .filter(({ source, disabled }) => disabled === undefined && asked && sourceKey(source) === sourceKey(asked.source))
    .flatMap(({ routing }) => [...routing.pipelineFromLabel.keys()]);
}

function pickedTicket(config: Config, file: string, project: string, text: string): Question {
  return { project, ticketId: pickTicket(config, file, project, text).ticketId };
}

/** A URL names its ticket alone: of each source that knows it, the first project that takes part. */
function findTicket(config: Config, file: string, url: string): Question[] {
  if (!url.includes('://'))
    throw new UsageError(
      `${printable(url)} is no URL: name the project before the ticket, agent-smith explain PROJECT ${printable(url)}`,
    );
  const found = new Map<string, Question>();
  const disabled = new Set(config.catalog.projects.flatMap((project) => (project.disabled ? [project.name] : [])));
  for (const { project, source, descriptor } of config.connections.values()) {
    const ticketId = descriptor.parseTicketId(url, source);
    if (ticketId === undefined) continue;
    const known = found.get(sourceKey(source));
    if (known === undefined || disabled.has(known.project)) found.set(sourceKey(source), { project, ticketId });
  }
  if (found.size === 0) throw new UsageError(`${printable(url)} is a ticket of no project in ${file}`);
  return [...found.values()];
}

/** What people should know of the hooks that send to us. */
import type { Project } from '../domain/project.ts';
import type { Finding, Findings } from '../foundation/findings.ts';
import type { HookState } from '../platforms/missed-deliveries.ts';

const CODES = ['hook-disabled', 'hook-failing', 'no-hook'] as const;

/** At most one of `CODES`; undefined when all is well. Pure. */
function judgeHooks(project: string, hooks: readonly HookState[], everArrived: boolean): Finding | undefined {
  const among = (state: HookState['state']): string =>
    hooks
      .filter((hook) => hook.state === state)
      .map(({ detail }) => detail)
      .join('; ');
  const [disabled, failing] = [among('disabled'), among('failing')];
  if (disabled !== '') {
    const text = `Project ${project}: its platform sends no deliveries any more: ${disabled}.`;
    return { code: 'hook-disabled', severity: 'error', text };
  }
  if (failing !== '') {
    const text = `Project ${project}: its platform holds deliveries back, because too many failed: ${failing}.`;
    return { code: 'hook-failing', severity: 'warning', text };
  }
  if (hooks.length > 0 || everArrived) return undefined;
  const text = `Project ${project} takes webhooks, but no hook was found that sends to this server and nothing has ever arrived: register one.`;
  return { code: 'no-hook', severity: 'info', text };
}

export interface HookFindings {
  /** In place of what was shown of the project before. */
  show(project: Project, hooks: readonly HookState[], everArrived: boolean): void;
  /** Shows nothing of any other project. */
  retain(projects: ReadonlySet<string>): void;
}

export function createHookFindings(findings: Findings): HookFindings {
  const shown = new Set<string>();
  const clear = (project: string): void => {
    for (const code of CODES) findings.clear(code, project);
    shown.delete(project);
  };
  return {
    show({ name }, hooks, everArrived) {
      clear(name);
      const finding = judgeHooks(name, hooks, everArrived);
      if (finding === undefined) return;
      findings.raise(finding, name);
      shown.add(name);
    },
    retain(projects) {
      for (const project of shown) if (!projects.has(project)) clear(project);
    },
  };
}

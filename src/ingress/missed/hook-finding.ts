/** What people should know of the hooks that send to us. Pure. */
import type { Finding } from '../../foundation/findings.ts';
import type { HookState } from '../../platforms/missed-deliveries.ts';

/** The worst of it; undefined when all is well. @param everArrived whether a hook has ever told of a ticket of the project */
export function hookFinding(project: string, hooks: readonly HookState[], everArrived: boolean): Finding | undefined {
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
    const text = `Project ${project}: what its platform sends is refused, or held back because too much failed: ${failing}.`;
    return { code: 'hook-failing', severity: 'warning', text };
  }
  if (hooks.length > 0 || everArrived) return undefined;
  const text = `Project ${project} takes webhooks, but no hook that sends to this server was seen, and none had told of a ticket when it was last looked for (every ten minutes): register one.`;
  return { code: 'no-hook', severity: 'info', text };
}

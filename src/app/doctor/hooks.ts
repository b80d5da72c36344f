/** Whether the platforms' hooks that send to us are in order, for projects that take webhooks. Writes nothing. */
import type { Project } from '../../domain/project.ts';
import { namesIn, type SourceGroup } from '../../domain/source-groups.ts';
import { unreachable } from '../../foundation/errors.ts';
import { askingProject, takesWebhooks } from '../../ingress/missed/missed-plan.ts';
import { isRefusal } from '../../ingress/missed/missed-refusals.ts';
import { type Call, PlatformError } from '../../platforms/contract.ts';
import type { HookState, MissedDeliveries } from '../../platforms/missed-deliveries.ts';
import type { CheckState, DoctorCheck } from './check.ts';
import { adviceFor } from './network.ts';

export interface HooksDeps {
  readonly missedOf: (project: Project) => MissedDeliveries | undefined;
  readonly isOurs: (url: string, projects: readonly Project[]) => boolean;
  readonly call: Call;
}

/** None when no project of the group takes webhooks. */
export async function checkHooks(group: SourceGroup, { missedOf, isOurs, call }: HooksDeps): Promise<DoctorCheck[]> {
  const [first, ...others] = group.projects.filter(takesWebhooks);
  const missed = first && missedOf(first);
  if (first === undefined || missed === undefined) return [];
  const asking: SourceGroup = { ...group, projects: [first, ...others] };
  const about = { subject: namesIn(asking), check: 'hooks' } as const;
  try {
    // Nothing is asked to be sent again: only how the hooks are.
    const question = { sinceMs: Date.now(), project: askingProject(asking), most: 1 };
    const { hooks } = await missed.look({ ...question, isOurs: (url) => isOurs(url, asking.projects) }, call);
    return hooks.length === 0 ? [{ ...about, ...NONE }] : hooks.map((hook) => ({ ...about, ...judgeHook(hook) }));
  } catch (error) {
    if (!(error instanceof PlatformError)) throw error;
    const advice = isRefusal(error) ? NO_RIGHT : adviceFor(error);
    return [{ ...about, state: 'unknown', text: error.message, advice }];
  }
}

const NONE = {
  state: 'unknown',
  text: 'no hook is seen that sends to this server',
  advice:
    'Register one as docs/webhooks says, unless there is one on a platform that shows none. Where a proxy serves this server below another path, set webhooks.public_url.',
} as const;

const NO_RIGHT =
  'Nothing else needs it. With the right that docs/webhooks names, what did not arrive is asked for again.';

const SEE_ANSWERS = 'What each answer of this server means is in docs/webhooks.md.';

function judgeHook({ id, state, detail }: HookState): Pick<DoctorCheck, 'state' | 'text' | 'advice'> {
  const text = `${id}: ${detail}`;
  return state === 'active' ? { state: 'ok', text } : { state: stateOf(state), text, advice: SEE_ANSWERS };
}

function stateOf(state: Exclude<HookState['state'], 'active'>): CheckState {
  switch (state) {
    case 'failing':
      return 'warning';
    case 'disabled':
      return 'problem';
    default:
      return unreachable(state);
  }
}

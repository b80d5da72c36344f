/**
 * What a platform could not deliver to us, asked of the platform itself. Apart from the contract of tickets, because a
 * deployment may well refuse the rights that it takes: then everything else works all the same.
 */
import type { Project } from '../domain/project.ts';
import type { Call } from './contract.ts';
import type { WebhookMessage } from './webhook.ts';

/** A hook of the platform that sends to us. */
export interface HookState {
  /** As `WebhookMessage.hook` has it. */
  readonly id: string;
  /** `failing`: the platform is refused by us, or has begun to hold back; `disabled`: it sends nothing until a person acts. */
  readonly state: 'active' | 'failing' | 'disabled';
  /** What was seen, and for a hook that is not active what to do. No URL, no secret. */
  readonly detail: string;
}

/** A delivery that never arrived, as far as the platform knows. */
export interface MissedDelivery {
  /** As `WebhookMessage.id` and `.hook` will have them when it arrives. */
  readonly id: string;
  readonly hook: string | undefined;
  /** Wall-clock ms of the platform. */
  readonly atMs: number;
  /**
   * Has it sent once more. A platform that cannot do that answers with the message itself, which is then taken in as if it
   * had arrived.
   * @throws PlatformError
   */
  again(call: Call): Promise<WebhookMessage | undefined>;
}

export interface MissedQuestion {
  /** Wall-clock ms: nothing older is asked for. */
  readonly sinceMs: number;
  /** Whether a hook's address is ours. */
  readonly isOurs: (url: string) => boolean;
  /** The project that asks: what its triggers are. */
  readonly project: Project;
  /** Most deliveries to come back with. */
  readonly most: number;
}

export interface MissedAnswer {
  /** Empty where the platform tells nothing about its hooks. */
  readonly hooks: readonly HookState[];
  /**
   * Oldest first. What has been delivered since is not among them; only a platform that keeps no list of deliveries, and
   * has to be asked what has changed, names that too.
   */
  readonly missed: readonly MissedDelivery[];
  /** There were more than asked for. */
  readonly truncated: boolean;
}

export interface MissedDeliveries {
  /** @throws PlatformError `auth` or `not-found` when the credential may not look at hooks. */
  look(question: MissedQuestion, call: Call): Promise<MissedAnswer>;
}

/** The oldest of what was found. @param isWhole everything that there was has been looked at */
export function missedAnswer(
  { most }: Pick<MissedQuestion, 'most'>,
  hooks: readonly HookState[],
  { missed, isWhole }: { readonly missed: readonly MissedDelivery[]; readonly isWhole: boolean },
): MissedAnswer {
  return {
    hooks,
    missed: missed.toSorted((one, other) => one.atMs - other.atMs).slice(0, most),
    truncated: !isWhole || missed.length > most,
  };
}

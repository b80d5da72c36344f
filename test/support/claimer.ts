/** Processes that claim, for tests that need several of them or kill one at an exact step; see programs/claimer.ts. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import type { ClaimOutcome } from '../../src/claims/claim-outcome.ts';
import { TOKEN } from './house.ts';
import type { ClaimerSetup, ClaimOrder } from './programs/claimer.ts';

const PROGRAM = fileURLToPath(new URL('./programs/claimer.ts', import.meta.url));

type Message =
  | { readonly kind: 'ready' | 'held' }
  | { readonly kind: 'outcomes'; readonly outcomes: readonly ClaimOutcome[] };

export interface Claimer {
  /** Claims all of them at once; resolves with their outcomes in the same order. */
  claim(claims: ClaimOrder['claims']): Promise<readonly ClaimOutcome[]>;
  /** Resolves when `count` claims (default 1) stand still. */
  held(count?: number): Promise<void>;
  /** Lets the claims that stand still go on. */
  goOn(): void;
  /** SIGKILL; resolves when the process is gone. */
  kill(): Promise<void>;
}

/** Starts a claimer; it is killed when the test is over. */
export async function startClaimer(setup: Omit<ClaimerSetup, 'token'>): Promise<Claimer> {
  const child = fork(PROGRAM, [JSON.stringify({ ...setup, token: TOKEN })], { execArgv: [] });
  const exited = once(child, 'exit');
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL');
    await exited;
  };
  onTestFinished(kill);
  const received: Message[] = [];
  const listeners = new Set<() => void>();
  child.on('message', (message: Message) => {
    received.push(message);
    for (const notify of listeners) notify();
  });
  const messages = async <K extends Message['kind']>(
    kind: K,
    count: number,
  ): Promise<Extract<Message, { kind: K }>[]> => {
    for (;;) {
      const matching = received.filter((message): message is Extract<Message, { kind: K }> => message.kind === kind);
      if (matching.length >= count) return matching;
      let notify: (() => void) | undefined;
      const next = new Promise<void>((resolve) => {
        notify = resolve;
        listeners.add(resolve);
      });
      const ended = exited.then(() => true);
      const gone = await Promise.race([next.then(() => false), ended]);
      if (notify !== undefined) listeners.delete(notify);
      if (gone) throw new Error(`the claimer ended before it was ${kind}`);
    }
  };
  await messages('ready', 1);
  let orders = 0;
  return {
    async claim(claims) {
      orders += 1;
      child.send({ kind: 'claim', claims } satisfies ClaimOrder);
      return (await messages('outcomes', orders)).at(-1)?.outcomes ?? [];
    },
    held: async (count = 1) => void (await messages('held', count)),
    goOn: () => void child.send({ kind: 'go-on' }),
    kill,
  };
}

/** Starts an emulated tracker as a child, and asks it for things. It ends with this process, however that ends. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { SiteAnswer, SiteFacts, SiteMessage, TicketsDone, TicketsWanted } from './emulated-site.ts';

export interface Site {
  readonly facts: SiteFacts;
  requests(): Promise<{ readonly paid: number; readonly notModified: number }>;
  work(wanted: TicketsWanted): Promise<TicketsDone>;
  stop(): Promise<void>;
}

export async function startSite(platform: string): Promise<Site> {
  const child = fork(fileURLToPath(new URL('emulated-site.ts', import.meta.url)), [platform]);
  const ended = once(child, 'exit');
  const message = async <T>(): Promise<T> => {
    const gone = new AbortController();
    void ended.then(() => gone.abort(new Error(`the emulator of ${platform} has ended`)));
    const [answer] = (await once(child, 'message', { signal: gone.signal })) as [T];
    return answer;
  };
  const ask = async <T>(question: SiteMessage): Promise<T> => {
    const answer = message<SiteAnswer>();
    child.send(question);
    const answered = await answer;
    if ('error' in answered) throw new Error(`${platform}: ${answered.error}`);
    return answered as T;
  };
  return {
    facts: await message<SiteFacts>(),
    requests: () => ask('requests'),
    work: (wanted) => ask(wanted),
    async stop() {
      child.kill();
      await ended;
    },
  };
}

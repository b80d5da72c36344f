/** A part of the bench as a process of its own: what it costs is not what is measured elsewhere, and the other way round. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** It speaks first when it is ready, and answers each question with one message. It ends with this process, however that ends. */
export interface Child {
  /** Its next message. Rejects when it ends before. */
  message<T>(): Promise<T>;
  ask<T>(question: object | string): Promise<T>;
  /** Resolves when it has ended. */
  stop(): Promise<void>;
}

export interface ChildOptions {
  readonly args?: readonly string[];
  /** Where its standard error goes; default: to ours. */
  readonly stderr?: number;
}

/** @param file ends when it is disconnected. */
export function startChild(file: URL, { args = [], stderr }: ChildOptions = {}): Child {
  const program = fileURLToPath(file);
  const child = fork(program, args, {
    stdio: ['ignore', 'inherit', stderr ?? 'inherit', 'ipc'],
  });
  const ended = once(child, 'exit');
  const message = async <T>(): Promise<T> => {
    const gone = new AbortController();
    void ended.then(() => gone.abort(new Error(`${path.basename(program)} has ended`)));
    const [answer] = (await once(child, 'message', { signal: gone.signal })) as [T];
    return answer;
  };
  return {
    message,
    async ask<T>(question: object | string) {
      const answer = message<T>();
      child.send(question);
      return await answer;
    },
    async stop() {
      if (child.connected) child.disconnect();
      await ended;
    },
  };
}

/**
 * The witness of the commands. Each command of the chaos pipeline calls here when it begins and stays on the line: the
 * kernel closes the line when the process is gone, whoever killed it, so nobody has to believe a record about who was
 * alive when. The witness also says when a command may end, and with which exit code.
 *
 * A command that is still on the line when another one of its ticket calls is looked at twice: by the state that the
 * kernel shows for its process, and by a `ping` that it answers if it ever executes anything again.
 */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import type { Chronicle } from './chronicle.ts';

/** What the pipeline runs. Bash, because it can speak TCP without a further process. Standard input is left unread. */
export const RUNNER_SCRIPT = `#!/bin/bash
exec 3<>"/dev/tcp/127.0.0.1/$WITNESS_PORT" || exit 97
echo "$AGENTSMITH_TICKET_URL $AGENTSMITH_RUN_ID $AGENTSMITH_ATTEMPT $REPLICA $$" >&3
while read -r word <&3; do
  case "$word" in
    ping) echo pong >&3 ;;
    *) exit "$word" ;;
  esac
done
exit 98
`;

/** What a command is to do: how long it works, and how it ends. */
export interface Work {
  readonly ms: number;
  readonly code: number;
}

export interface Witness {
  readonly port: number;
  /** Commands on the line now; of one replica when it is named. */
  alive(replica?: string): number;
  close(): Promise<void>;
}

interface Life {
  readonly id: string;
  readonly replica: string;
  readonly pid: number;
  readonly socket: Socket;
}

export async function openWitness(chronicle: Chronicle, workOf: (page: string) => Work): Promise<Witness> {
  /** By the page of their ticket. */
  const onTheLine = new Map<string, Set<Life>>();

  const begin = (socket: Socket, words: readonly string[]): { page: string; life: Life; end: () => void } => {
    const [page = '', run = '', attempt = '', replica = '', pid = ''] = words;
    const life: Life = { id: `${run}/${attempt}/${pid}`, replica, pid: Number(pid), socket };
    const others = onTheLine.get(page) ?? new Set();
    onTheLine.set(page, others);
    for (const other of others) {
      const executes = canExecute(other.pid);
      chronicle.note(page, { kind: executes ? 'overlap' : 'beside-frozen', life: life.id, other: other.id });
      // One that was told to end does nothing more, whenever it hears of it.
      if (!other.socket.writableEnded) other.socket.write('ping\n');
    }
    others.add(life);
    chronicle.note(page, { kind: 'started', life: life.id, run, replica });
    const { ms, code } = workOf(page);
    let ended = false;
    const timer = setTimeout(() => {
      if (socket.destroyed) return;
      ended = true;
      chronicle.note(page, { kind: 'ended', life: life.id, run, code });
      socket.end(`${code}\n`);
    }, ms);
    const end = (): void => {
      clearTimeout(timer);
      others.delete(life);
      if (others.size === 0) onTheLine.delete(page);
      if (!ended) chronicle.note(page, { kind: 'gone', life: life.id });
    };
    return { page, life, end };
  };

  const server = createServer((socket) => {
    let call: ReturnType<typeof begin> | undefined;
    // A process that is killed resets its line; `close` says all there is to say.
    socket.on('error', () => undefined);
    const lines = createInterface({ input: socket });
    lines.on('error', () => undefined);
    lines.on('line', (line) => {
      if (call === undefined) call = begin(socket, line.split(' '));
      // It was taken for frozen when another one began, and has executed something since.
      else if (line === 'pong')
        chronicle.note(call.page, { kind: 'overlap', life: call.life.id, other: 'a later one' });
    });
    socket.once('close', () => call?.end());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');

  return {
    port: (server.address() as AddressInfo).port,
    alive(replica) {
      const lives = [...onTheLine.values()].flatMap((set) => [...set]);
      return lives.filter((life) => replica === undefined || life.replica === replica).length;
    },
    async close() {
      const closed = once(server, 'close');
      server.close();
      for (const lives of onTheLine.values()) for (const { socket } of lives) socket.destroy();
      await closed;
    },
  };
}

/** Whether the kernel would let this process execute anything: not if it is stopped, a zombie or gone. */
function canExecute(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const state = stat.slice(stat.lastIndexOf(')') + 2).charAt(0);
    return state !== 'T' && state !== 't' && state !== 'Z' && state !== 'X';
  } catch {
    return false;
  }
}

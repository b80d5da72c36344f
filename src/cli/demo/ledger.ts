/**
 * Reads the ledger that the demo's pipelines append to while they work: one JSON object per line, start, beats and end
 * of each process, and the kills that the demo itself has noted between them.
 */
import { appendFile, open } from 'node:fs/promises';
import type { Kill, Life } from './verdict.ts';

/** Stands for the replica where the service has started the process: whichever replicas asked for the work, it is not theirs. */
export const SERVICE = 'service';

/** A line of the ledger; `ticket` is the address of its page. */
export type LedgerLine =
  | (ProcessLine & { readonly event: 'start' | 'beat' })
  | (ProcessLine & { readonly event: 'end'; readonly code: number })
  | { readonly event: 'killed'; readonly replica: string };

interface ProcessLine {
  readonly run: string;
  readonly attempt: number;
  readonly ticket: string;
  readonly pipeline: string;
  readonly replica: string;
  readonly pid: number;
}

/** A life with the moments at which we read of it; for the screen, the verdict does not ask. */
export interface WatchedLife extends Life {
  readonly pid: number;
  /** Wall-clock ms. */
  readonly startedAtMs: number;
  readonly endedAtMs: number | undefined;
}

export interface RunnerLedger {
  /** Reads what was appended since the last time and returns it. */
  read(): Promise<LedgerLine[]>;
  /** Of one ticket by its page, in the order of their starts. */
  livesOf(ticket: string): readonly WatchedLife[];
  /** Tickets with a process that has neither ended nor been killed with this replica. */
  ticketsAtWork(replica: string): string[];
  kills(): readonly Kill[];
  /** Notes that a replica has just been killed. */
  noteKill(replica: string): Promise<void>;
}

export function createRunnerLedger(file: string): RunnerLedger {
  const lives = new Map<string, WatchedLife[]>();
  const kills: Kill[] = [];
  let position = 0;
  let lines = 0;
  let rest = '';

  const take = (line: LedgerLine): void => {
    const at = (lines += 1);
    if (line.event === 'killed') {
      kills.push({ replica: line.replica, at });
      return;
    }
    const { ticket, run, attempt, pipeline, replica, pid } = line;
    const ofTicket = lives.get(ticket) ?? [];
    lives.set(ticket, ofTicket);
    const index = ofTicket.findIndex((life) => life.run === run && life.attempt === attempt && life.pid === pid);
    const known = ofTicket[index];
    const nowMs = Date.now();
    const life: WatchedLife = {
      run,
      attempt,
      pipeline,
      replica,
      pid,
      first: known?.first ?? at,
      latest: at,
      exitCode: line.event === 'end' ? line.code : undefined,
      startedAtMs: known?.startedAtMs ?? nowMs,
      endedAtMs: line.event === 'end' ? nowMs : undefined,
    };
    if (known === undefined) ofTicket.push(life);
    else ofTicket[index] = life;
  };

  return {
    async read() {
      const appended = await readFrom(file, position);
      position += Buffer.byteLength(appended);
      const whole = (rest + appended).split('\n');
      rest = whole.pop() ?? '';
      const read = whole.map((line) => JSON.parse(line) as LedgerLine);
      for (const line of read) take(line);
      return read;
    },
    livesOf: (ticket) => lives.get(ticket) ?? [],
    ticketsAtWork(replica) {
      const killedAt = kills.findLast((kill) => kill.replica === replica)?.at ?? 0;
      return [...lives].flatMap(([ticket, ofTicket]) => {
        const last = ofTicket.at(-1);
        const atWork = last?.replica === replica && last.exitCode === undefined && last.first > killedAt;
        return atWork ? [ticket] : [];
      });
    },
    kills: () => kills,
    noteKill: (replica) => appendFile(file, `${JSON.stringify({ event: 'killed', replica })}\n`),
  };
}

async function readFrom(file: string, position: number): Promise<string> {
  const handle = await open(file, 'r');
  try {
    const { size } = await handle.stat();
    const buffer = Buffer.alloc(Math.max(0, size - position));
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, position);
    return buffer.toString('utf8', 0, bytesRead);
  } finally {
    await handle.close();
  }
}

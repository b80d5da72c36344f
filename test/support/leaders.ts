/** Processes that compete for a role (programs/leader.ts), and the ledger of what they did while they led. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished } from 'vitest';
import { until } from './until.ts';

const PROGRAM = fileURLToPath(new URL('programs/leader.ts', import.meta.url));

export interface LeaderEvent {
  readonly event: 'up' | 'begin' | 'error' | 'end';
  readonly epoch?: number;
  readonly error?: string;
}

export interface LeaderProcess {
  readonly name: string;
  readonly process: ChildProcess;
  /** What it said so far. */
  readonly events: readonly LeaderEvent[];
  command(line: string): void;
  signal(signal: NodeJS.Signals): void;
}

/** One side effect. */
interface Effect {
  readonly epoch: number;
  readonly name: string;
}

export interface Leaders {
  /** It is killed when the test is over. */
  start(name: string, redisUrl: string): Promise<LeaderProcess>;
  effects(): Promise<Effect[]>;
  /** Resolves with the next side effect of another process than `not`. */
  successorOf(not: LeaderProcess): Promise<Effect>;
  /** Resolves with the process that leads now. */
  leader(): Promise<Effect>;
  /** Fails the test unless epochs only ever rose and each belongs to one process. */
  expectOneAtATime(): Promise<void>;
}

export async function openLeaders(options: { readonly timeScale: number }): Promise<Leaders> {
  const dir = await mkdtemp(path.join(tmpdir(), 'agent-smith-leaders-'));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  const ledger = path.join(dir, 'ledger');

  const effects = async (): Promise<Effect[]> => {
    const text = await readFile(ledger, 'utf8').catch(() => '');
    return text.split('\n').flatMap((line) => {
      const [epoch, name] = line.split(' ');
      return name === undefined ? [] : [{ epoch: Number(epoch), name }];
    });
  };
  return {
    effects,
    async start(name, redisUrl) {
      const child = spawn(process.execPath, [PROGRAM, redisUrl, name, ledger, String(options.timeScale)], {
        stdio: ['pipe', 'pipe', 'inherit'],
      });
      onTestFinished(async () => {
        if (child.exitCode !== null || child.signalCode !== null) return;
        child.kill('SIGKILL');
        await once(child, 'exit');
      });
      const events: LeaderEvent[] = [];
      createInterface({ input: child.stdout }).on('line', (line) => events.push(JSON.parse(line) as LeaderEvent));
      await until(`${name} is up`, () => events.length > 0);
      return {
        name,
        process: child,
        events,
        command: (line) => child.stdin.write(`${line}\n`),
        signal: (signal) => void child.kill(signal),
      };
    },
    async successorOf(not) {
      const before = (await effects()).length;
      return await until('another process leads', async () =>
        (await effects()).slice(before).find(({ name }) => name !== not.name),
      );
    },
    async leader() {
      const before = (await effects()).length;
      return await until('a process leads', async () => (await effects())[before]);
    },
    async expectOneAtATime() {
      const all = await effects();
      const terms = all.filter((effect, index) => effect.epoch !== all[index - 1]?.epoch);
      const epochs = terms.map(({ epoch }) => epoch);
      expect(epochs).toEqual([...epochs].sort((a, b) => a - b));
      expect(new Set(epochs).size).toBe(epochs.length);
      for (const { epoch, name } of terms) {
        expect(new Set(all.filter((effect) => effect.epoch === epoch).map((effect) => effect.name))).toEqual(
          new Set([name]),
        );
      }
    },
  };
}

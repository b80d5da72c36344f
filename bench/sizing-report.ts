/** `npm run bench -- --sizing`: the numbers of docs/sizing.md, laid out for people. */
import { grid, whole } from './figures.ts';
import type { IdleReplicas } from './idle-replica.ts';
import { KEY_KINDS } from './memory-usage.ts';
import type { MemoryOfState } from './redis-memory.ts';
import { formatMachine, type Machine } from './report.ts';

export interface SizingResult {
  readonly machine: Machine;
  readonly memory: readonly MemoryOfState[];
  readonly idle: readonly IdleReplicas[];
  readonly nodeOptions: string;
}

export function formatSizing({ machine, memory, idle, nodeOptions }: SizingResult): string {
  return [
    formatMachine(machine),
    '',
    ...memoryLines(memory),
    '',
    ...idleLines(idle),
    ` The replicas ran with NODE_OPTIONS="${nodeOptions}" and a warm NODE_COMPILE_CACHE.`,
  ].join('\n');
}

const PER = 10_000;

function memoryLines(states: readonly MemoryOfState[]): string[] {
  // What has shrunk by a few bytes is none, and no less.
  const mebibytes = (bytes: number, things: number): string =>
    ((Math.max(bytes, 0) / things) * (PER / 2 ** 20)).toFixed(1);
  // What has no keys among those that were measured says nothing.
  const kinds = KEY_KINDS.filter((kind) => states.some(({ byKind }) => (byKind.get(kind) ?? 0) > 0));
  const [first] = states;
  return [
    `Redis memory: MiB for ${whole(PER)} of each, counted with ${whole(first?.things ?? 0)}`,
    ...grid([
      ['', 'all', ...kinds],
      ...states.map(({ state, things, bytes, byKind }) => [
        state,
        mebibytes(bytes, things),
        ...kinds.map((kind) => mebibytes(byKind.get(kind) ?? 0, things)),
      ]),
    ]),
    ' all: by which the server has grown, tables of keys included; the rest by MEMORY USAGE of every key',
    ' outputs: of 4 KB here, 64 KiB at most; queue: that of BullMQ',
  ];
}

function idleLines(rows: readonly IdleReplicas[]): string[] {
  const sum = (counts: ReadonlyMap<string, number>): number => [...counts.values()].reduce((all, one) => all + one, 0);
  const [alone] = rows;
  const uses = [...(alone?.connections ?? [])].toSorted(([a], [b]) => a.localeCompare(b));
  return [
    `Idle replicas: one project, polls each minute and webhooks, windows of ${whole(alone?.windowSeconds ?? 0)} s`,
    ...grid([
      ['replicas', 'connections', 'commands/s', 'of them scripts', 'KB/s', 'CPU %', 'memory MiB'],
      ...rows.map(({ replicas, windowSeconds, connections, commands, networkBytes, each }) => [
        whole(replicas),
        whole(sum(connections)),
        (sum(commands) / windowSeconds).toFixed(0),
        ((commands.get('evalsha') ?? 0) / windowSeconds).toFixed(1),
        (networkBytes / windowSeconds / 1000).toFixed(1),
        each.map(({ cpuSeconds }) => ((cpuSeconds / windowSeconds) * 100).toFixed(1)).join(' + '),
        each.map(({ residentBytes }) => (residentBytes / 2 ** 20).toFixed(0)).join(' + '),
      ]),
    ]),
    ` connections of one: ${uses.map(([use, count]) => `${count} ${use}`).join(', ')}`,
    ' commands: carried out by the server, those inside of scripts too; CPU: of one core, of each replica',
  ];
}

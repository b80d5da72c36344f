/**
 * The guard process: one per worker, owner of the groups of its commands (PROTOCOL 4). It outlives its worker by the
 * moment it takes to kill them and to remove their temporary folders.
 *
 * Why a process of its own: a command survives SIGKILL and SIGSTOP of whoever started it. This process notices both:
 * the pipe closes when the worker dies, and the beats stop when the worker stands still or has lost Redis. A command that
 * is frozen meanwhile stays so when this process is killed too: it executes nothing, and somebody has to remove it.
 * It sits in its own session and ignores the signals of terminals and orchestrators, because whoever ends a worker must
 * not end its guard first. Not covered: worker and guard killed in the same moment outside a container, and what leaves
 * its group by setsid.
 */
import { rm } from 'node:fs/promises';
import type { FromGuard, GuardTiming, ToGuard } from './guarded-process.ts';
import { startTimeOf } from './process-group.ts';
import { type SupervisedCommand, superviseCommand } from './supervised-command.ts';

const timing = JSON.parse(process.argv[2] ?? '') as GuardTiming;
const commands = new Map<string, SupervisedCommand>();
/** Of the commands that have one. */
const temporaryFolders = new Map<string, string>();

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);

process.on('disconnect', endWithWorker);
process.on('message', (message: ToGuard) => {
  switch (message.type) {
    case 'start':
      start(message);
      break;
    case 'beat':
      commands.get(message.attemptId)?.beat(message.sentAt);
      break;
    case 'spare':
      commands.get(message.attemptId)?.spare(message.at);
      break;
    case 'stop':
      commands.get(message.attemptId)?.stop(message.reason);
      send({ type: 'stop-received', attemptId: message.attemptId });
      break;
  }
});
// The worker may have died while this process was starting: then nobody will say so any more.
if (!process.connected) endWithWorker();

function start({ spec }: Extract<ToGuard, { type: 'start' }>): void {
  const { attemptId } = spec;
  const command = superviseCommand(spec, timing, {
    onSurvivor: (pid) => send({ type: 'surviving', attemptId, pid }),
    onFreeze: (frozen) => send({ type: frozen ? 'frozen' : 'thawed', attemptId }),
  });
  commands.set(attemptId, command);
  if (spec.temporaryFolder !== undefined) temporaryFolders.set(attemptId, spec.temporaryFolder);
  void report(attemptId, command);
}

async function report(attemptId: string, command: SupervisedCommand): Promise<void> {
  if (command.pid !== undefined) {
    const startTime = startTimeOf(command.pid);
    send({ type: 'started', attemptId, pid: command.pid, ...(startTime !== undefined && { startTime }) });
  }
  const end = await command.ended;
  commands.delete(attemptId);
  temporaryFolders.delete(attemptId);
  send({ type: 'ended', attemptId, end });
}

function send(message: FromGuard): void {
  // A pipe that no longer takes messages has lost its worker; `disconnect` deals with that.
  process.send?.(message, undefined, undefined, () => undefined);
}

function endWithWorker(): void {
  for (const command of commands.values()) command.kill();
  void Promise.all([...temporaryFolders].map(removeWhenOver)).then(() => process.exit(0));
}

/** Nobody is left who would be told that a folder cannot be removed. */
async function removeWhenOver([attemptId, folder]: readonly [string, string]): Promise<void> {
  await commands.get(attemptId)?.ended;
  await rm(folder, { recursive: true, force: true }).catch(() => undefined);
}

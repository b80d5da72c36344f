/** The talk of a measured process with the bench: where it listens, and when it is asked, the CPU time it has used so far. */

export interface CpuTime {
  readonly microseconds: number;
}

export interface Listening {
  readonly port: number;
}

/** @param close called when the bench has gone. */
export function answerCpuTime(port: number, close: () => Promise<void>): void {
  const tell = (message: Listening | CpuTime): void => void process.send?.(message);
  process.on('message', () => {
    const { user, system } = process.cpuUsage();
    tell({ microseconds: user + system });
  });
  process.on('disconnect', () => void close());
  tell({ port });
}

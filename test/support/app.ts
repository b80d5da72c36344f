/** A whole replica in this process, for tests that look into it; those that kill one are for replica.ts. */
import { onTestFinished } from 'vitest';
import type { AppOptions } from '../../src/app/options.ts';
import { type App, createApp } from '../../src/app.ts';
import type { Config } from '../../src/config/config.ts';
import { createRedactor } from '../../src/foundation/redactor.ts';
import { FAST, silentLog } from './house.ts';

/** Started on a port of its own and an empty Redis that has lost nothing; stopped when the test is over. */
export async function startApp(
  config: Config,
  options: Partial<AppOptions> = {},
): Promise<{ readonly app: App; readonly port: number }> {
  const app = createApp({
    config,
    instance: 'pod-1',
    version: '1.0.0',
    timing: FAST,
    host: '127.0.0.1',
    port: 0,
    hostEnv: { PATH: process.env['PATH'] },
    freshRedis: true,
    adoptOrphans: true,
    log: silentLog,
    redactor: createRedactor(),
    ...options,
  });
  onTestFinished(() => app.stop());
  return { app, port: await app.start() };
}

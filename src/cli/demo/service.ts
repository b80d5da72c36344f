/**
 * The service that does the work of one pipeline over HTTP: examples/http/service.mjs as it stands, in a process of its own.
 * No replica is its parent: what it is at goes on when a replica is killed, and the replica that has the run next hears what
 * came of it.
 */
import { randomBytes } from 'node:crypto';
import { createWriteStream, existsSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { endLeashed, startLeashed } from '../../redis/embedded/leashed-process.ts';
import { UsageError } from '../process.ts';
import { SERVICE } from './ledger.ts';
import { type Pipeline, REPLICA_VARIABLE } from './pipeline.ts';

export interface Service {
  /** `http://127.0.0.1:40123/` */
  readonly url: string;
  /** What requests have to be signed with. */
  readonly secret: string;
  /** Resolves when it is gone, and its programs with it. */
  stop(): Promise<void>;
}

export interface ServiceOptions {
  /** For its log and the answers that it keeps. */
  readonly dir: string;
  /** For temporary files. */
  readonly temporary: string;
  readonly pipeline: Pipeline;
  /** Hears of an end that nobody asked for. */
  readonly onEnd: (how: string) => void;
}

const EXAMPLE = fileURLToPath(new URL('../../../examples/http/service.mjs', import.meta.url));
const SECRET_BYTES = 32;
const STOP_TIMEOUT_MS = 4_000;
const REMEMBERED_LINES = 5;

/** Resolves when it listens; throws with its own words when it does not start. */
export async function openService({ dir, temporary, pipeline, onEnd }: ServiceOptions): Promise<Service> {
  if (!existsSync(EXAMPLE)) {
    throw new UsageError(`the demo has a service do some of its work, and ${EXAMPLE} is not there: run it in a clone`);
  }
  const secret = `whsec_${randomBytes(SECRET_BYTES).toString('base64')}`;
  const log = createWriteStream(path.join(dir, `${SERVICE}.log`));
  const words: string[] = [];
  const listening = Promise.withResolvers<string>();
  const child = startLeashed(process.execPath, [EXAMPLE, ...pipeline.command], {
    cwd: dir,
    env: {
      ...pipeline.env,
      [REPLICA_VARIABLE]: SERVICE,
      WEBHOOK_SECRET: secret,
      HOST: '127.0.0.1',
      PORT: '0',
      STATE_DIR: path.join(dir, 'answers'),
      TMPDIR: temporary,
    },
    onLine: (line) => {
      log.write(`${line}\n`);
      words.push(line);
      if (words.length > REMEMBERED_LINES) words.shift();
      const url = /^listening on (\S+)$/.exec(line)?.[1];
      if (url !== undefined) listening.resolve(url);
    },
  });
  let stopping = false;
  const watchEnd = async (): Promise<void> => {
    const how = await child.ended;
    log.end();
    const why = [`the service ended by itself: ${how}`, ...words].join('\n');
    listening.reject(new Error(why));
    if (!stopping) onEnd(why);
  };
  void watchEnd();
  return {
    url: await listening.promise,
    secret,
    async stop() {
      stopping = true;
      await endLeashed(child, STOP_TIMEOUT_MS);
    },
  };
}

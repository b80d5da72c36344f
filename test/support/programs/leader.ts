/**
 * A process that competes for the role `poller` and, while it leads, writes its epoch and name to a ledger again and
 * again: the side effect that no two leaders may have at once.
 *
 * Arguments: Redis URL, name, ledger file, time scale. Commands on standard input, one per line: `stop` (SIGSTOP to
 * itself right before the next side effect is decided on), `block MS` (blocks the event loop there), `throw`, `return`.
 * SIGTERM ends it gracefully. Standard output: a line of JSON for each begin and end of a term.
 */
import { appendFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { createLeader, type Term } from '../../../src/coordination/leader.ts';
import { createLeases } from '../../../src/coordination/lease.ts';
import { DEFAULT_TIMING, scaleTiming } from '../../../src/domain/timing.ts';
import { messageOf } from '../../../src/foundation/errors.ts';
import { createLog } from '../../../src/foundation/log.ts';
import { sleep } from '../../../src/foundation/loop.ts';
import { createRedactor } from '../../../src/foundation/redactor.ts';
import { parseRedisUrl } from '../../../src/redis/address.ts';
import { createRedisConnection } from '../../../src/redis/connection.ts';

const [url = '', name = '', ledger = '', scale = '0.1'] = process.argv.slice(2);
const SIDE_EFFECT_MS = 5;

const timing = scaleTiming(DEFAULT_TIMING, Number(scale));
const log = createLog({ level: 'silent', redactor: createRedactor() });
const address = parseRedisUrl(url);
if (!address.ok) throw new Error(address.problem);
const redis = createRedisConnection({ address: address.options, namespace: 'agentsmith', timing, blockMs: 100, log });

let command = '';
createInterface({ input: process.stdin }).on('line', (line) => (command = line));
const take = (): string => {
  const taken = command;
  command = '';
  return taken;
};
const say = (event: object): void => void process.stdout.write(`${JSON.stringify(event)}\n`);

const obey = (order: string): void => {
  if (order === 'stop') process.kill(process.pid, 'SIGSTOP');
  if (order === 'throw') throw new Error('the work was told to throw');
  const [, ms] = /^block (\d+)$/.exec(order) ?? [];
  const until = performance.now() + Number(ms ?? 0);
  while (performance.now() < until);
};

async function work(term: Term): Promise<void> {
  say({ event: 'begin', epoch: term.epoch });
  try {
    while (await sleep(SIDE_EFFECT_MS, term.signal)) {
      const order = take();
      if (order === 'return') return;
      obey(order);
      term.assertTrusted();
      appendFileSync(ledger, `${term.epoch} ${name}\n`);
    }
  } catch (error) {
    say({ event: 'error', epoch: term.epoch, error: messageOf(error) });
    throw error;
  } finally {
    say({ event: 'end', epoch: term.epoch });
  }
}

const leader = createLeader(createLeases(redis, timing), { role: 'poller', instance: name, timing, log, work });
const ending = new AbortController();
process.once('SIGTERM', () => ending.abort());
say({ event: 'up' });
await leader.run(ending.signal);
await redis.close();
process.exit(0);

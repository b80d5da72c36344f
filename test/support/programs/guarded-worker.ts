/**
 * A worker reduced to its guard: starts `program ledger` under it, reports the pid to its parent, and beats until it is
 * killed; from the first message on it spares the command instead. Arguments: program, ledger, timing as JSON, and the temporary folder
 * of the attempt if it has one.
 */
import { now } from '../../../src/foundation/clock.ts';
import { createLog } from '../../../src/foundation/log.ts';
import { createRedactor } from '../../../src/foundation/redactor.ts';
import { createGuard } from '../../../src/worker/guard/guard.ts';
import type { GuardTiming } from '../../../src/worker/guard/guarded-process.ts';

const [program = '', ledger = '', timingText = '', temporaryFolder] = process.argv.slice(2);
const timing = JSON.parse(timingText) as GuardTiming;
const guard = createGuard({ log: createLog({ level: 'info', redactor: createRedactor() }), timing });
const { started } = guard.start({
  attemptId: 'run/1/1',
  program: 'sh',
  args: [program, ledger],
  cwd: temporaryFolder ?? '/',
  ...(temporaryFolder !== undefined && { temporaryFolder }),
  env: { PATH: process.env.PATH ?? '' },
  stdin: '',
  secrets: [],
  trustedSince: now(),
});
let say: 'beat' | 'spare' = 'beat';
process.once('message', () => {
  say = 'spare';
});
setInterval(() => guard[say]('run/1/1', now()), timing.trustTermMs / 20);
process.send?.(await started);

/**
 * One script plays all pipelines of the demo, whether a replica runs it as a command or the service does: both hand it the
 * ticket as JSON. It appends to one file, a line at a time: then the lines of all processes have one order, from which "at
 * the same time" and "again" can be read. What it says at its end is in the comment on the ticket.
 */
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { FAILS_MARK } from './tickets.ts';

export interface Pipeline {
  readonly command: readonly [string, ...string[]];
  /** What the command needs, besides `REPLICA_VARIABLE`. */
  readonly env: Readonly<Record<string, string>>;
  /** Where it writes what it does. */
  readonly ledger: string;
}

/** Shortest and longest work of a pipeline, in beats of a quarter of a second. */
export interface PipelineBeats {
  readonly least: number;
  readonly most: number;
}

/** The variable by which whoever starts a pipeline tells it who that is. */
export const REPLICA_VARIABLE = 'DEMO_REPLICA';

/**
 * What people write is escaped in JSON, so the first `"name":` outside of it is ours. A ledger that cannot be written is gone
 * with the demo: the service may have been killed, and has nobody who would end its programs then.
 */
const SCRIPT = `#!/bin/sh
ticket=$(cat)
field() {
  value=\${ticket#*\\"$1\\":}
  value=\${value#\\"}
  printf %s "\${value%%[\\",]*}"
}
run=$(field run) attempt=$(field attempt) url=$(field url) pipeline=$(field pipeline)
note() {
  printf '{"event":"%s","run":"%s","attempt":%s,"ticket":"%s","pipeline":"%s","replica":"%s","pid":%s%s}\\n' \\
    "$1" "$run" "$attempt" "$url" "$pipeline" "$${REPLICA_VARIABLE}" "$$" "$2" >>"$LEDGER" || exit 1
}
note start
echo "reading $url"
chance=$(od -An -N2 -tu2 /dev/urandom)
beats=$((LEAST_BEATS + chance % (MOST_BEATS - LEAST_BEATS + 1)))
while [ "$beats" -gt 0 ]; do
  sleep 0.25
  note beat
  beats=$((beats - 1))
done
code=0
case "$ticket" in
  *'${FAILS_MARK}'*) grep -q "\\"end\\".*\\"$url\\"" "$LEDGER" || code=1 ;;
esac
if [ "$code" = 0 ]; then says="All tests pass."; else says="A test still fails."; fi
echo "$says"
printf '{"summary":"%s"}' "$says" >"$AGENTSMITH_RESULT_FILE"
note end ",\\"code\\":$code"
exit "$code"
`;

export async function writePipeline(dir: string, beats: PipelineBeats): Promise<Pipeline> {
  const ledger = path.join(dir, 'ledger.jsonl');
  const script = path.join(dir, 'pipeline.sh');
  await writeFile(ledger, '');
  await writeFile(script, SCRIPT);
  return {
    // Run by name: temporary folders are often mounted without permission to execute.
    command: ['sh', script],
    env: { LEDGER: ledger, LEAST_BEATS: String(beats.least), MOST_BEATS: String(beats.most) },
    ledger,
  };
}

/**
 * A service that does the work of a pipeline over HTTP: plain Node (20 or newer), no packages.
 *
 *   WEBHOOK_SECRET=whsec_... node service.mjs PROGRAM [ARGUMENT...]
 *
 * For each run PROGRAM is started once, in a folder of its own and without a shell, with the body of the request (the ticket as JSON) on standard input.
 * Exit code 0 is done, and the end of what it printed the summary; in the file that AGENTSMITH_RESULT_FILE names it may
 * write a whole result with links instead.
 *
 *   POST /  unsigned, signed by somebody else, or long ago     401
 *           run not seen before                                 PROGRAM starts
 *           still at work after ANSWER_SECONDS                  202 {"state": "running"}: ask again with the same key
 *           over, now or at an earlier request                  200 {"state": "done" | "failed", "summary", "links"}
 *           agentsmith.run.cancelled                            PROGRAM gets SIGTERM, 200
 *
 * The Idempotency-Key is the run: however often it is sent, by whichever attempt, the work is done once, and the answer is the
 * same. Answers are kept in STATE_DIR, so a restart forgets none. A run that was at work when this process died is started
 * again when it is asked for again: PROGRAM must bear that, as ../pull-request/pull-request.sh does.
 *
 * PORT (8090), HOST (127.0.0.1; TLS belongs in front of it), STATE_DIR (./answers), ANSWER_SECONDS (20).
 */
import { spawn } from 'node:child_process';
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import os from 'node:os';
import path from 'node:path';

const MOST_BODY_BYTES = 2 * 1024 * 1024;
const MOST_SUMMARY = 4_000;
/** A message that is older was recorded by somebody, or a clock is wrong. */
const TOLERANCE_SECONDS = 300;

const { PORT = '8090', HOST = '127.0.0.1', STATE_DIR = 'answers', ANSWER_SECONDS = '20' } = process.env;
const [name, ...args] = process.argv.slice(2);
// Each run has a folder of its own, so a path is taken from where the service was started.
const program = name?.includes('/') ? path.resolve(name) : name;
const secret = readSecret(process.env.WEBHOOK_SECRET);
if (program === undefined || secret === undefined) {
  console.error('usage: WEBHOOK_SECRET=whsec_BASE64 node service.mjs PROGRAM [ARGUMENT...]');
  process.exit(2);
}
await mkdir(STATE_DIR, { recursive: true });

/** Runs at work, by their keys. */
const working = new Map();

const server = createServer(async (request, response) => {
  try {
    const { status, body, headers = {} } = await answer(request);
    const text = JSON.stringify(body);
    const own = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) };
    response.writeHead(status, { ...own, ...headers }).end(text);
  } catch (error) {
    console.error('request failed:', error);
    // Nobody knows what became of it, so it is asked again.
    response.writeHead(503, { 'retry-after': '5' }).end();
  }
});
server.listen(Number(PORT), HOST, () => console.log(`listening on http://${HOST}:${server.address().port}/`));
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, leave);

async function answer(request) {
  if (request.method !== 'POST') return refused(405, 'only POST');
  const body = await readBody(request);
  if (body === undefined) return refused(413, 'more than 2 MiB');
  if (!isSigned(request.headers, body)) return refused(401, 'not signed with the secret of this service');
  const key = request.headers['idempotency-key'];
  const message = JSON.parse(body.toString());
  if (message.type === 'agentsmith.run.cancelled') {
    working.get(message.run)?.stop();
    return { status: 200, body: { state: 'failed', reason: 'cancelled' } };
  }
  if (message.type !== 'agentsmith.run.requested') return refused(400, 'a message of an unknown type');
  if (typeof key !== 'string' || key !== message.run) return refused(400, 'the Idempotency-Key is not the run');

  const known = await readAnswer(key);
  if (known !== undefined) return { status: 200, body: known };
  // Between this line and the next nobody else can come: two requests share one start.
  if (!working.has(key)) working.set(key, begin(key, body));
  const ended = await Promise.race([working.get(key).ended, pause(Number(ANSWER_SECONDS) * 1000)]);
  if (ended === undefined) return { status: 202, body: { state: 'running' }, headers: { 'retry-after': '2' } };
  return { status: 200, body: ended };
}

/** https://www.standardwebhooks.com: HMAC-SHA256 of id, time and body, perhaps by several secrets while one is changed. */
function isSigned(headers, body) {
  const { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': signatures = '' } = headers;
  if (id === undefined || !/^\d{1,12}$/.test(timestamp ?? '')) return false;
  if (Math.abs(Date.now() / 1000 - Number(timestamp)) > TOLERANCE_SECONDS) return false;
  const expected = createHmac('sha256', secret).update(`${id}.${timestamp}.`).update(body).digest();
  return signatures.split(' ').some((signature) => {
    const [version, text = ''] = signature.split(',');
    const given = Buffer.from(text, 'base64');
    return version === 'v1' && given.length === expected.length && timingSafeEqual(given, expected);
  });
}

/** One run of PROGRAM. `ended` resolves with the answer when that is on disk, and never rejects. */
function begin(key, input) {
  const stopping = new AbortController();
  const ended = work(input, stopping.signal)
    .catch((error) => {
      console.error(`${program} could not be started:`, error.message);
      return {
        state: 'failed',
        reason: `${path.basename(program)} could not be started: ${error.code ?? error.message}`,
      };
    })
    .then(async (outcome) => {
      // What this process is leaving behind was not the run's own end: it is started again when it is asked for again.
      if (outcome !== undefined) await keepAnswer(key, outcome);
      return outcome;
    })
    .catch((error) => console.error('answer not kept:', error))
    .finally(() => working.delete(key));
  return { ended, stop: () => stopping.abort('cancelled'), leave: () => stopping.abort('leaving') };
}

async function work(input, signal) {
  const dir = await mkdtemp(path.join(os.tmpdir(), 'run-'));
  try {
    const resultFile = path.join(dir, 'result.json');
    // The secret of this service is none of the program's business.
    const { WEBHOOK_SECRET: _, ...env } = process.env;
    const child = spawn(program, args, {
      cwd: dir,
      env: { ...env, AGENTSMITH_RESULT_FILE: resultFile },
      stdio: ['pipe', 'pipe', 'inherit'],
      signal,
    });
    const how = new Promise((resolve, reject) => {
      child.on('error', (error) => (error.name === 'AbortError' ? undefined : reject(error)));
      child.on('close', (code, killedBy) => resolve(killedBy ?? code));
    });
    let printed = '';
    child.stdout.setEncoding('utf8').on('data', (text) => {
      printed = (printed + text).slice(-MOST_SUMMARY);
    });
    // It may end without having read the ticket.
    child.stdin.on('error', () => undefined).end(input);
    const exit = await how;
    if (signal.reason === 'leaving') return undefined;
    if (signal.aborted) return { state: 'failed', reason: 'cancelled' };
    const told = (await readJson(resultFile)) ?? { summary: printed.trim() };
    const { summary, links } = told;
    return {
      state: exit === 0 ? 'done' : 'failed',
      ...(exit !== 0 && { reason: `it ended with ${exit}` }),
      summary,
      links,
    };
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

// A key is whatever somebody sent: as a hash it is a name of a file.
const fileOf = (key) => path.join(STATE_DIR, `${createHash('sha256').update(key).digest('hex')}.json`);

const readAnswer = (key) => readJson(fileOf(key));

/** Whole or not at all, whenever this process dies. */
async function keepAnswer(key, outcome) {
  const file = fileOf(key);
  await writeFile(`${file}.new`, JSON.stringify(outcome));
  await rename(`${file}.new`, file);
}

async function readJson(file) {
  try {
    return JSON.parse(await readFile(file, 'utf8'));
  } catch (error) {
    if (error.code !== 'ENOENT') console.error(`${file} cannot be read:`, error.message);
    return undefined;
  }
}

async function readBody(request) {
  const chunks = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += chunk.length;
    if (bytes > MOST_BODY_BYTES) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function refused(status, reason) {
  return { status, body: { error: reason }, ...(status === 413 && { headers: { connection: 'close' } }) };
}

function readSecret(text = '') {
  const bytes = Buffer.from(text.replace(/^whsec_/, ''), 'base64');
  return bytes.length >= 24 ? bytes : undefined;
}

function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms).unref());
}

async function leave() {
  server.close();
  const atWork = [...working.values()];
  for (const run of atWork) run.leave();
  await Promise.all(atWork.map(({ ended }) => ended));
  process.exit(0);
}

/** Whether the Redis of the replicas can be reached, keeps what it is given and lets us do our work. Reads only. */
import { messageOf, OperationError } from '../../foundation/errors.ts';
import type { RedisConnection } from '../../redis/connection.ts';
import { judgeSettings } from '../../redis/server-settings.ts';
import type { CheckState, DoctorCheck } from './check.ts';

type Redis = Pick<RedisConnection, 'keys' | 'read' | 'timeMs' | 'whenUp' | 'status'>;

/** What a Redis server tells; undefined is what it does not. */
export interface RedisFacts {
  readonly version: string;
  readonly role: string;
  readonly policy: string | undefined;
  readonly appendOnly: string | undefined;
  /** What the user in REDIS_URL lacks, in Redis' own words. */
  readonly lacking: readonly string[] | undefined;
  /** Our wall clock before the one of Redis, in ms; negative when it is behind. */
  readonly aheadMs: number;
}

export async function checkRedis(redis: Redis | undefined, patienceMs: number): Promise<DoctorCheck[]> {
  if (redis === undefined) {
    const advice =
      'Set it to the Redis that all replicas share, redis://user:password@host:port for example. agent-smith dev brings one of its own.';
    return [finding('address', 'problem', 'REDIS_URL is not set', advice)];
  }
  if (!(await redis.whenUp(AbortSignal.timeout(patienceMs)))) {
    const { reason } = redis.status();
    return [finding('reachable', 'problem', `cannot be reached: ${reason}`, reachAdvice(reason))];
  }
  try {
    return judgeRedis(await lookAt(redis));
  } catch (error) {
    if (!(error instanceof OperationError)) throw error;
    const reason = messageOf(error);
    return [finding('reachable', 'problem', `took us, and then: ${reason}`, reachAdvice(reason))];
  }
}

/** Pure. */
export function judgeRedis(facts: RedisFacts): DoctorCheck[] {
  return [
    finding('reachable', 'ok', `Redis ${facts.version}`),
    versionCheck(facts.version),
    facts.role === 'master'
      ? finding('role', 'ok', 'a master')
      : finding(
          'role',
          'problem',
          `a ${facts.role}: it takes no writes`,
          'Point REDIS_URL to the master, or use redis+sentinel:// or redis+cluster://.',
        ),
    ...settingsChecks(facts),
    rightsCheck(facts.lacking),
    clockCheck(facts.aheadMs),
  ];
}

/** What BullMQ asks for. */
const OLDEST_VERSION = [6, 2] as const;

function versionCheck(version: string): DoctorCheck {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [oldestMajor, oldestMinor] = OLDEST_VERSION;
  if (major > oldestMajor || (major === oldestMajor && minor >= oldestMinor)) return finding('version', 'ok', version);
  return finding('version', 'warning', `${version} is older than ${OLDEST_VERSION.join('.')}`, 'Upgrade Redis.');
}

function settingsChecks({ policy, appendOnly }: RedisFacts): DoctorCheck[] {
  const found = judgeSettings({ policy, appendOnly });
  if (found.length === 0) return [finding('settings', 'ok', 'maxmemory-policy noeviction, appendonly yes')];
  const states: Readonly<Record<string, CheckState>> = { error: 'problem', warning: 'warning', info: 'unknown' };
  return found.map(({ severity, text }) => {
    const [seen = text, advice = text] = text.split(': ');
    return finding(
      'settings',
      states[severity] ?? 'unknown',
      seen,
      `${advice.charAt(0).toUpperCase()}${advice.slice(1)}`,
    );
  });
}

function rightsCheck(lacking: readonly string[] | undefined): DoctorCheck {
  if (lacking === undefined) {
    const advice = 'Redis does not let this user ask; docs/doctor.md lists the commands that it needs.';
    return finding('rights', 'unknown', 'what its user may do is not told', advice);
  }
  if (lacking.length === 0) return finding('rights', 'ok', 'its user may do all that is needed');
  return finding(
    'rights',
    'problem',
    lacking.join('; '),
    'Grant it with ACL SETUSER; docs/doctor.md has the whole line.',
  );
}

/** A GitHub App's signature is refused beyond half a minute; leases go by the clock of Redis and do not mind. */
const WARN_AHEAD_MS = 10_000;

function clockCheck(aheadMs: number): DoctorCheck {
  const seconds = Math.round(Math.abs(aheadMs) / 1000);
  const text = `this machine is ${seconds} s ${aheadMs < 0 ? 'behind' : 'ahead of'} Redis`;
  if (Math.abs(aheadMs) < WARN_AHEAD_MS) return finding('clock', 'ok', text);
  return finding('clock', 'warning', text, 'Synchronise the clocks of both machines by NTP.');
}

/** What we and BullMQ send; KEY stands for every key and channel of ours. */
const NEEDED = `
  get KEY, set KEY v, del KEY, exists KEY, incr KEY, pexpire KEY 1, pttl KEY, persist KEY,
  hget KEY f, hmget KEY f, hgetall KEY, hset KEY f v, hdel KEY f, hincrby KEY f 1,
  zadd KEY 1 m, zrem KEY m, zrange KEY 0 -1, zcard KEY, zscore KEY m, zremrangebyscore KEY 0 1, bzpopmin KEY 1,
  lpush KEY v, rpush KEY v, lrange KEY 0 -1, llen KEY, lrem KEY 0 v, lpos KEY v, sadd KEY m, srem KEY m,
  xadd KEY * f v, xrange KEY - +, xrevrange KEY + -, xtrim KEY MAXLEN 1, publish KEY m, subscribe KEY,
  eval return 0, evalsha 0 0, time, info, client setname x`
  .split(',')
  .map((command) => command.trim().split(' '));

async function lookAt(redis: Redis): Promise<RedisFacts> {
  const info = await redis.read(
    'read redis info',
    async (client) => `${await client.info('server')}\n${await client.info('replication')}`,
  );
  const field = (name: string): string => new RegExp(`^${name}:(\\S+)`, 'm').exec(info)?.[1] ?? 'unknown';
  const before = Date.now();
  const redisMs = await redis.timeMs();
  return {
    version: field('redis_version'),
    role: field('role'),
    policy: await setting(redis, 'maxmemory-policy'),
    appendOnly: await setting(redis, 'appendonly'),
    lacking: await lackingRights(redis),
    aheadMs: (before + Date.now()) / 2 - redisMs,
  };
}

/** Undefined where CONFIG is forbidden, as on many managed servers. */
async function setting(redis: Redis, name: string): Promise<string | undefined> {
  return await ifAllowed(async () => {
    const reply = await redis.read(`read ${name}`, (client) => client.config('GET', name));
    return Array.isArray(reply) ? String(reply[1]) : undefined;
  });
}

/** `ACL DRYRUN` (Redis 7) says what a user may do without doing it; it is a right of its own. */
async function lackingRights(redis: Redis): Promise<string[] | undefined> {
  return await ifAllowed(() =>
    redis.read('ask for rights', async (client) => {
      const user = String(await client.call('ACL', 'WHOAMI'));
      const key = `${redis.keys.prefix}:doctor`;
      const said = await Promise.all(
        NEEDED.map((command) =>
          client.call('ACL', 'DRYRUN', user, ...command.map((word) => (word === 'KEY' ? key : word))),
        ),
      );
      return [...new Set(said.map(String))].filter((answer) => answer !== 'OK');
    }),
  );
}

/** Undefined when the server refuses the command or does not know it; a connection that broke is an error. */
async function ifAllowed<T>(ask: () => Promise<T>): Promise<T | undefined> {
  try {
    return await ask();
  } catch (error) {
    if (/NOPERM|unknown (?:sub)?command|wrong number of arguments|ERR /i.test(messageOf(error))) return undefined;
    throw error;
  }
}

function reachAdvice(reason: string): string {
  if (/NOAUTH|WRONGPASS|invalid password|invalid username/i.test(reason))
    return 'Check the user and the password in REDIS_URL.';
  if (/NOPERM/.test(reason)) return 'Grant its user what docs/doctor.md lists, with ACL SETUSER.';
  if (/ENOTFOUND|EAI_AGAIN/.test(reason)) return 'The host in REDIS_URL is not known here: check its name and DNS.';
  if (/certificate|SSL|TLS|wrong version number/i.test(reason)) {
    return 'Check redis:// against rediss://, and the CA in NODE_EXTRA_CA_CERTS.';
  }
  if (/cluster support disabled/.test(reason)) return 'This server is no node of a cluster: use redis://.';
  if (/MOVED|CROSSSLOT/.test(reason)) return 'This server is a node of a cluster: use redis+cluster://.';
  if (/CLUSTERDOWN|no node serves our slot/.test(reason)) {
    return 'The cluster serves not all of its slots: see CLUSTER NODES for the masters that are gone.';
  }
  return 'Check the host and the port in REDIS_URL, that Redis runs, and that no firewall is between.';
}

function finding(check: string, state: CheckState, text: string, advice?: string): DoctorCheck {
  return { subject: 'redis', check, state, text, ...(advice !== undefined && { advice }) };
}

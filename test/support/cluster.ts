/**
 * A Redis Cluster on 127.0.0.1: three masters, and a replica of the one that serves our slot. All of it ends with the
 * test file.
 *
 *   const cluster = useCluster();
 *   test('...', async () => { connectTo(cluster.url); await cluster.owner().kill('SIGKILL'); });
 */
import { Redis } from 'ioredis';
import { afterAll, beforeAll } from 'vitest';
import type { EmbeddedRedis } from '../../src/redis/embedded/embedded-redis.ts';
import { startTestRedis } from './redis.ts';
import { until } from './until.ts';

/** The slot of every key with the hash tag `{agentsmith}`; the second master serves it. */
export const OUR_SLOT = 5564;
const RANGES = [
  [0, 5460],
  [5461, 10_922],
  [10_923, 16_383],
] as const;

export interface ClusterMember {
  readonly server: EmbeddedRedis;
  /** For looking and preparing: it follows no redirect. */
  readonly client: Redis;
}

/** Usable from `beforeAll` on. */
export interface TestCluster {
  /** For `REDIS_URL`: two nodes of it, neither of which serves our slot. */
  readonly url: string;
  readonly members: readonly ClusterMember[];
  /** The member that says itself that it serves our slot as a master. */
  owner(): Promise<ClusterMember>;
  /** The other one that holds our data. */
  standby(): Promise<ClusterMember>;
  /** Moves our slot with all its keys, as resharding does; `onTheWay` is called when the keys are over and nobody is told. */
  moveSlot(from: ClusterMember, to: ClusterMember, onTheWay: () => Promise<unknown>): Promise<void>;
}

/** Call at the top level of a file. A dead master is replaced after about three seconds. */
export function useCluster(): TestCluster {
  let members: readonly ClusterMember[] = [];
  beforeAll(async () => {
    members = await Promise.all([...RANGES, undefined].map(startMember));
    await join(members);
  });
  afterAll(async () => {
    for (const { client } of members) client.disconnect();
    await Promise.all(members.map(({ server }) => server.stop()));
  });
  const holdersAs = async (role: string): Promise<ClusterMember[]> => {
    const holders = members.filter(({ server }, i) => (i === 1 || i === 3) && server.running);
    const infos = await Promise.all(holders.map(({ client }) => client.info('replication')));
    return holders.filter((_, i) => infos[i]?.includes(`role:${role}`));
  };
  const theOne = (role: string) => async (): Promise<ClusterMember> => {
    const [one, another] = await holdersAs(role);
    if (one === undefined || another !== undefined) throw new Error(`there is not exactly one ${role}`);
    return one;
  };
  return {
    get url() {
      const [first, , third] = members;
      return `redis+cluster://127.0.0.1:${first?.server.port},127.0.0.1:${third?.server.port}`;
    },
    get members() {
      return members;
    },
    owner: theOne('master'),
    standby: theOne('slave'),
    async moveSlot(from, to, onTheWay) {
      const setSlot = ({ client }: ClusterMember, ...args: string[]): Promise<unknown> =>
        client.call('CLUSTER', 'SETSLOT', OUR_SLOT, ...args);
      const [fromId, toId] = await Promise.all([from.client.cluster('MYID'), to.client.cluster('MYID')]);
      await setSlot(to, 'IMPORTING', fromId);
      await setSlot(from, 'MIGRATING', toId);
      const keys = (await from.client.call('CLUSTER', 'GETKEYSINSLOT', OUR_SLOT, 10_000)) as string[];
      for (const key of keys) await from.client.migrate('127.0.0.1', to.server.port, key, 0, 5_000);
      await onTheWay();
      for (const master of new Set([to, from, ...members.slice(0, RANGES.length)])) await setSlot(master, 'NODE', toId);
    },
  };
}

async function startMember(): Promise<ClusterMember> {
  const server = await startTestRedis({
    settings: [
      'cluster-enabled yes',
      // They tell each other of themselves at a pace that goes with this.
      'cluster-node-timeout 400',
      'cluster-replica-no-failover yes',
      'cluster-replica-validity-factor 0',
      'repl-diskless-sync-delay 0',
      'repl-ping-replica-period 1',
    ],
  });
  const client = new Redis(server.url, { maxRetriesPerRequest: null, retryStrategy: () => 20 });
  client.on('error', () => undefined);
  return { server, client };
}

async function join(members: readonly ClusterMember[]): Promise<void> {
  const [first, owner] = members;
  const replica = members.at(-1);
  if (first === undefined || owner === undefined || replica === undefined) throw new Error('no members');
  await Promise.all(
    members.map(async ({ client }, i) => {
      await client.cluster('SET-CONFIG-EPOCH', i + 1);
      const range = RANGES[i];
      if (range !== undefined) await client.call('CLUSTER', 'ADDSLOTSRANGE', ...range.map(String));
    }),
  );
  for (const { server } of members.slice(1)) await first.client.cluster('MEET', '127.0.0.1', server.port);
  await everyone(members, 'the cluster is whole', async ({ client }) => {
    const info = await client.cluster('INFO');
    return info.includes('cluster_state:ok') && info.includes(`cluster_known_nodes:${members.length}`);
  });
  const ownerId = await owner.client.cluster('MYID');
  await replica.client.cluster('REPLICATE', ownerId);
  await until('the replica is in step', async () =>
    (await replica.client.info('replication')).includes('master_link_status:up'),
  );
  await everyone(members, 'all know the replica', async ({ client }) =>
    (await client.cluster('SLOTS')).some(([, , ...holders]) => holders.length === 2),
  );
  for (const { client } of members) {
    // Less, and a busy machine looks like a dead master.
    await client.config('SET', 'cluster-node-timeout', '2000');
    await client.config('SET', 'cluster-replica-no-failover', 'no');
  }
}

function everyone(
  members: readonly ClusterMember[],
  what: string,
  isSo: (member: ClusterMember) => Promise<boolean>,
): Promise<unknown> {
  return until(what, async () => (await Promise.all(members.map(isSo))).every(Boolean));
}

/**
 * Redis Cluster, as one server that moves. All our keys carry one hash tag, so they live in one slot, and one master
 * serves it: a client of ours is an ordinary one that asks any node who that master is, whenever it connects, as it
 * would ask a Sentinel. It follows no redirect of a single command: whose data a new master holds is looked at before
 * anything else is sent there (docs/decisions/0021-cluster-is-one-slot.md).
 */
import { createConnection, Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { AbstractConnector, Redis, type RedisOptions } from 'ioredis';
import { messageOf } from '../foundation/errors.ts';
import type { ClusterNode } from './address.ts';

export interface SlotOwnerOptions {
  /** From `REDIS_URL`; the others are learned. */
  readonly seeds: readonly ClusterNode[];
  /** Any key of ours. */
  readonly key: string;
  /** How long one node may take to answer, in ms. */
  readonly answerMs: number;
}

type Connector = NonNullable<RedisOptions['Connector']>;

/** What a client of a cluster is given in place of `host` and `port`. Clients share it, and what it learns. */
export function slotOwnerConnector(options: SlotOwnerOptions): Connector {
  const find = createOwnerSearch(options);

  // A class because the library asks for one.
  return class SlotOwnerConnector extends AbstractConnector {
    readonly #client: RedisOptions;
    #ending = new AbortController();

    constructor(given: unknown) {
      const client = given as RedisOptions;
      super(client.disconnectTimeout ?? options.answerMs);
      this.#client = client;
    }

    override async connect(): ReturnType<AbstractConnector['connect']> {
      this.connecting = true;
      this.#ending = new AbortController();
      const { signal } = this.#ending;
      const owner = await find(this.#client, signal).catch((error: unknown) => new Error(messageOf(error)));
      if (signal.aborted) throw new Error(CLOSED);
      if (owner instanceof Error) {
        // A stream that has failed, and no rejection: so the client tries again, in its own time.
        this.firstError = owner;
        this.stream = new Socket().destroy();
        return this.stream;
      }
      const { tls } = this.#client;
      this.stream = tls === undefined ? createConnection(owner) : connectTls({ ...owner, ...tls });
      this.stream.once('error', (error: Error) => {
        this.firstError = error;
      });
      return this.stream;
    }

    override disconnect(): void {
      this.#ending.abort();
      super.disconnect();
    }
  };
}

/** The words by which the client knows that this was asked for. */
const CLOSED = 'Connection is closed.';

/** Answers a function that asks one node after the other who serves our slot. Throws with what each of them said. */
function createOwnerSearch({ seeds, key, answerMs }: SlotOwnerOptions) {
  /** Whoever was asked goes to the end: a node that is wrong, or hangs, is not asked twice in a row. */
  let nodes: readonly ClusterNode[] = seeds;

  const learn = (members: readonly ClusterNode[]): void => {
    const current = new Map([...seeds, ...members].map((node) => [nameOf(node), node]));
    nodes = [...nodes.filter((node) => current.delete(nameOf(node))), ...current.values()];
  };

  return async (client: RedisOptions, signal: AbortSignal): Promise<ClusterNode> => {
    const problems: string[] = [];
    for (const node of nodes) {
      if (signal.aborted) break;
      nodes = [...nodes.filter((other) => other !== node), node];
      try {
        const shards = await askNode(node, { key, answerMs, client }, signal);
        learn(shards.flatMap(({ members }) => members));
        const owner = shards.find(({ isOurs }) => isOurs)?.members[0];
        if (owner !== undefined) return owner;
        problems.push(`${nameOf(node)}: no node serves our slot`);
      } catch (error) {
        problems.push(`${nameOf(node)}: ${messageOf(error)}`);
      }
    }
    throw new Error(`no node of the cluster tells who serves us (${problems.join('; ')})`);
  };
}

interface Shard {
  readonly isOurs: boolean;
  /** Its master first. */
  readonly members: readonly ClusterNode[];
}

interface NodeQuestion extends Pick<SlotOwnerOptions, 'key' | 'answerMs'> {
  /** Whose user and certificates the node is asked with. */
  readonly client: RedisOptions;
}

async function askNode(node: ClusterNode, question: NodeQuestion, signal: AbortSignal): Promise<Shard[]> {
  const { username, password, tls } = question.client;
  const asking = new Redis({
    ...node,
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    ...(tls !== undefined && { tls }),
    connectionName: 'agent-smith:cluster',
    enableReadyCheck: false,
    connectTimeout: question.answerMs,
    commandTimeout: question.answerMs,
    disconnectTimeout: question.answerMs,
    retryStrategy: () => null,
    replyMapping: 'legacy',
  });
  let failure: unknown;
  asking.on('error', (error: unknown) => {
    failure = error;
  });
  const giveUp = (): void => asking.disconnect();
  signal.addEventListener('abort', giveUp, { once: true });
  try {
    const [slot, ranges] = await Promise.all([asking.cluster('KEYSLOT', question.key), asking.cluster('SLOTS')]);
    return ranges.map(([first, last, ...members]) => ({
      isOurs: first <= slot && slot <= last,
      // A node that does not know its own address leaves it out: it is the one that we have asked.
      members: members.map(([host, port]): ClusterNode => ({ host: host || node.host, port })),
    }));
  } catch (error) {
    // The command says only that the connection is closed.
    throw failure ?? error;
  } finally {
    signal.removeEventListener('abort', giveUp);
    asking.disconnect();
  }
}

const nameOf = ({ host, port }: ClusterNode): string => `${host}:${port}`;

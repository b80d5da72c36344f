/** Sends requests over a number of connections, each its next one as soon as it has the answer to the one before. */
import { Client } from 'undici';
import type { SignedDelivery } from './deliveries.ts';
import { percentile } from './figures.ts';

export interface Load {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** CPU time of this process by the time that passed: near 1 it would be the sender that is measured. */
  readonly senderBusy: number;
}

export interface LoadOptions {
  readonly origin: string;
  readonly path: string;
  readonly connections: number;
  /** Any other answer is an error. */
  readonly status: number;
}

/** From the sending of a request to the end of its answer. Throws when one is not answered as it should be. */
export async function sendAll(requests: readonly SignedDelivery[], options: LoadOptions): Promise<Load> {
  const { origin, connections } = options;
  const waiting = requests.values();
  const latenciesMs: number[] = [];
  const lane = async (client: Client): Promise<void> => {
    // One iterator shared by all: each takes the next request when its own is answered.
    for (const request of waiting) {
      const sentMs = performance.now();
      const status = await send(client, options.path, request);
      latenciesMs.push(performance.now() - sentMs);
      if (status !== options.status) throw new Error(`a delivery was answered ${status} instead of ${options.status}`);
    }
  };
  const clients = Array.from({ length: connections }, () => new Client(origin));
  try {
    const before = process.cpuUsage();
    const startedMs = performance.now();
    await Promise.all(clients.map(lane));
    const seconds = (performance.now() - startedMs) / 1000;
    const { user, system } = process.cpuUsage(before);
    return {
      perSecond: requests.length / seconds,
      p50Ms: percentile(latenciesMs, 50),
      p99Ms: percentile(latenciesMs, 99),
      senderBusy: (user + system) / 1e6 / seconds,
    };
  } finally {
    await Promise.all(clients.map((client) => client.destroy()));
  }
}

/** Its status. The least that undici can do for a request: whoever sends must not be slower than who answers. */
function send(client: Client, path: string, { headers, body }: SignedDelivery): Promise<number> {
  return new Promise((resolve, reject) => {
    let status = 0;
    client.dispatch(
      { method: 'POST', path, headers, body },
      {
        onRequestStart() {},
        onResponseStart(_controller, statusCode) {
          status = statusCode;
        },
        onResponseData() {},
        onResponseEnd: () => resolve(status),
        onResponseError: (_controller, error) => reject(error),
      },
    );
  });
}

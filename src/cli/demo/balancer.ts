/**
 * Stands where a load balancer stands in production: one address for the webhooks, and behind it whichever replicas take
 * them at the moment. It passes bytes on and knows nothing of HTTP; a connection whose replica dies is cut.
 */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { pipeline } from 'node:stream';

export interface Balancer {
  /** `http://127.0.0.1:40123`. */
  readonly origin: string;
  close(): Promise<void>;
}

const HOST = '127.0.0.1';

/** @param ports those of the replicas that take webhooks now; asked for each connection */
export async function openBalancer(ports: () => readonly number[]): Promise<Balancer> {
  const callers = new Set<Socket>();
  let turn = 0;
  const server = createServer((caller) => {
    const up = ports();
    const port = up[turn % up.length];
    turn += 1;
    if (port === undefined) {
      caller.destroy();
      return;
    }
    callers.add(caller);
    // However one of them ends, the other one goes with it: that is all that the caller has to know.
    pipeline(caller, connect(port, HOST), caller, () => callers.delete(caller));
  });
  server.listen(0, HOST);
  await once(server, 'listening');
  return {
    origin: `http://${HOST}:${(server.address() as AddressInfo).port}`,
    async close() {
      const closed = once(server, 'close');
      server.close();
      for (const caller of callers) caller.destroy();
      await closed;
    },
  };
}

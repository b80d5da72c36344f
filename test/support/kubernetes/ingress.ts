/**
 * The way in from outside, as an ingress controller plays it: each request goes to the next pod that it has learned of, on
 * connections that it keeps, and 503 is its own answer while there is no pod. It sends nothing twice, and remembers every pod
 * that did not answer.
 */
import { once } from 'node:events';
import { Agent, createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pipeline } from 'node:stream';

const HOST = '127.0.0.1';

export interface Ingress {
  /** `http://127.0.0.1:40123`. */
  readonly origin: string;
  /** Ports in the order in which they got their first request. */
  readonly served: ReadonlySet<number>;
  /** `40124 ECONNREFUSED`: a shut door. `40124 ECONNRESET`: cut before the answer, so nobody knows what became of it. */
  readonly unanswered: readonly string[];
  /** From now on only these pods get requests; idle connections to others are closed, which cannot cut any. */
  setEndpoints(ports: readonly number[]): void;
  close(): Promise<void>;
}

export async function openIngress(): Promise<Ingress> {
  const agents = new Map<number, Agent>();
  const served = new Set<number>();
  const unanswered: string[] = [];
  let turn = 0;

  const next = (): [number, Agent] | undefined => {
    turn += 1;
    return [...agents][turn % Math.max(1, agents.size)];
  };
  const pass = (asked: IncomingMessage, answer: ServerResponse): void => {
    const endpoint = next();
    if (endpoint === undefined) {
      answer.writeHead(503).end();
      return;
    }
    const [port, agent] = endpoint;
    served.add(port);
    const { url, method, headers } = asked;
    const { connection: _ours, ...passed } = headers;
    const onward = request({ host: HOST, port, path: url, method, headers: passed, agent });
    onward.once('response', (got) => {
      const { connection: _its, 'keep-alive': _for, ...kept } = got.headers;
      pipeline(got, answer.writeHead(got.statusCode ?? 502, kept), () => undefined);
    });
    onward.once('error', (error: NodeJS.ErrnoException) => {
      unanswered.push(`${port} ${error.code}`);
      if (answer.headersSent) answer.destroy();
      else answer.writeHead(502).end();
    });
    asked.pipe(onward);
  };

  const server = createServer(pass);
  server.listen(0, HOST);
  await once(server, 'listening');
  return {
    origin: `http://${HOST}:${(server.address() as AddressInfo).port}`,
    served,
    unanswered,
    setEndpoints(ports) {
      for (const port of ports) if (!agents.has(port)) agents.set(port, new Agent({ keepAlive: true }));
      for (const [port, agent] of agents) {
        if (ports.includes(port)) continue;
        agents.delete(port);
        for (const socket of Object.values(agent.freeSockets).flat()) socket?.destroy();
      }
    },
    async close() {
      for (const agent of agents.values()) agent.destroy();
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

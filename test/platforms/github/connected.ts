/** The adapter on the emulator, over real HTTP. */
import { createGitHubEmulator, type GitHubEmulator } from '../../../src/emulators/github/github-emulator.ts';
import type { PlatformError, TicketPlatform } from '../../../src/platforms/contract.ts';
import { connectGitHub } from '../../../src/platforms/github/adapter.ts';
import type { RequestFacts } from '../../../src/platforms/session.ts';
import { createTransport, type Transport, type TransportOptions } from '../../../src/platforms/transport.ts';
import { failure as failureOf } from '../conformance/calls.ts';

export const TOKEN = 'ghp_a-secret-of-the-tests';

export interface Connected extends AsyncDisposable {
  readonly hub: GitHubEmulator;
  readonly transport: Transport;
  readonly facts: readonly RequestFacts[];
  /** The adapter of `org/repo`. */
  readonly github: TicketPlatform;
  /** The adapter of another repository, or of the same, on the same transport or another one. */
  connect(repository?: string, on?: Transport, token?: string): TicketPlatform;
}

export async function connected(options: Partial<TransportOptions> = {}): Promise<Connected> {
  const hub = createGitHubEmulator({
    tokens: { bot: { token: TOKEN, login: 'smith-bot' }, reader: { token: 'ghp_reader-token', canPush: false } },
    repositories: ['org/repo', 'org/other'],
  });
  await hub.start();
  const facts: RequestFacts[] = [];
  const transport = createTransport({
    credentialId: 'bot',
    origin: hub.url,
    onRequest: (fact) => facts.push(fact),
    ...options,
  });
  const connect = (repository = 'org/repo', on = transport, token = TOKEN): TicketPlatform =>
    connectGitHub({
      source: { platform: 'github', host: new URL(hub.url).host, container: repository, apiUrl: hub.url },
      credential: { kind: 'token', token },
      transport: on,
    });
  return { hub, transport, facts, connect, github: connect(), [Symbol.asyncDispose]: () => hub.close() };
}

/** The platform error of a call that fails, with the token nowhere in it. */
export function failure(promise: Promise<unknown>): Promise<PlatformError> {
  return failureOf(promise, TOKEN);
}

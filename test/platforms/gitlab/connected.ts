/** The adapter on the emulator, over real HTTP. */
import { onTestFinished } from 'vitest';
import type { TicketSource } from '../../../src/domain/ticket.ts';
import {
  createGitLabEmulator,
  type GitLabEmulator,
  type GitLabEmulatorOptions,
} from '../../../src/emulators/gitlab/gitlab-emulator.ts';
import { gitlabProject } from '../../../src/emulators/gitlab/gitlab-project.ts';
import type { TicketPlatform } from '../../../src/platforms/contract.ts';
import { connectGitLab } from '../../../src/platforms/gitlab/adapter.ts';
import { createTransport, type Transport } from '../../../src/platforms/transport.ts';
import { watch } from '../../support/watched-source.ts';

export const TOKEN = 'glpat-a-secret-of-the-tests';
export const PROJECT = 'group/sub/project';

export interface Connected {
  readonly server: GitLabEmulator;
  readonly transport: Transport;
  readonly source: TicketSource;
  /** The adapter of `PROJECT` with a token that may do everything. */
  readonly gitlab: TicketPlatform;
  /** With a token that was added to the server, on a transport of its own. */
  connect(token: string): TicketPlatform;
  /** Method and operation of every request so far. */
  sent(): string[];
}

export async function connected(options: GitLabEmulatorOptions = {}): Promise<Connected> {
  const server = createGitLabEmulator({
    tokens: { smith: { token: TOKEN, login: 'smith' } },
    projects: [PROJECT],
    ...options,
  });
  await server.start();
  onTestFinished(() => server.close());
  const { source } = watch(gitlabProject(server, PROJECT, TOKEN));
  const on = (transport: Transport, token: string): TicketPlatform =>
    connectGitLab({ source, credential: { kind: 'token', token }, transport });
  const transportOf = (credentialId: string) => createTransport({ credentialId, origin: source.apiUrl });
  const transport = transportOf('smith');
  return {
    server,
    transport,
    source,
    gitlab: on(transport, TOKEN),
    connect: (token) => on(transportOf('other'), token),
    sent: () => server.ledger.requests().map(({ method, operation }) => `${method} ${operation}`),
  };
}

/** The adapter on the emulator, over real HTTP. */
import {
  type AzureDevOpsEmulator,
  type AzureDevOpsEmulatorOptions,
  createAzureDevOpsEmulator,
} from '../../../src/emulators/azuredevops/azuredevops-emulator.ts';
import { azureDevOpsProject } from '../../../src/emulators/azuredevops/azuredevops-project.ts';
import { connectAzureDevOps } from '../../../src/platforms/azuredevops/adapter.ts';
import type { TicketPlatform } from '../../../src/platforms/contract.ts';
import type { Credential } from '../../../src/platforms/descriptor.ts';
import { createTransport, type Transport, type TransportOptions } from '../../../src/platforms/transport.ts';
import { watch } from '../../support/watched-source.ts';

export const TOKEN = 'a-secret-pat-of-the-tests';
export const APPLICATION = { tenantId: 'tenant', clientId: 'client', clientSecret: 'a-secret-of-the-application' };

export interface Connected extends AsyncDisposable {
  readonly server: AzureDevOpsEmulator;
  readonly transport: Transport;
  /** The adapter of the project Shop in org. */
  readonly azure: TicketPlatform;
  connect(options?: {
    readonly credential?: Credential;
    readonly transport?: Transport;
    readonly organization?: string;
    readonly tickets?: Readonly<Record<string, unknown>>;
  }): TicketPlatform;
  /** A transport to this server. */
  transportTo(options?: Partial<TransportOptions>): Transport;
}

export async function connected(options: AzureDevOpsEmulatorOptions = {}): Promise<Connected> {
  const server = createAzureDevOpsEmulator({
    tokens: { smith: { token: TOKEN }, reader: { token: 'a-readers-pat', scope: 'read' } },
    collections: { org: ['Shop', 'Elsewhere'], 'tfs/Default Collection': ['Shop'] },
    ...options,
  });
  await server.start();
  const transportTo = (more: Partial<TransportOptions> = {}) =>
    createTransport({ credentialId: 'smith', origin: server.url, ...more });
  const transport = transportTo();
  const connect: Connected['connect'] = (to = {}) => {
    const project = azureDevOpsProject(server, { organization: to.organization ?? 'org', project: 'Shop' }, TOKEN);
    const { source, tickets } = watch({ ...project, tickets: { ...project.tickets, ...to.tickets } });
    const credential = to.credential ?? { kind: 'token', token: TOKEN };
    return connectAzureDevOps({ source, tickets, credential, transport: to.transport ?? transport });
  };
  return { server, transport, transportTo, connect, azure: connect(), [Symbol.asyncDispose]: () => server.close() };
}

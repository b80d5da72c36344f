/** The adapter on the emulator, over real HTTP, for what is special to Jira. */
import {
  createJiraEmulator,
  type JiraEmulator,
  type JiraEmulatorOptions,
} from '../../../src/emulators/jira/jira-emulator.ts';
import { jiraProject } from '../../../src/emulators/jira/jira-project.ts';
import type { TicketPlatform } from '../../../src/platforms/contract.ts';
import type { Credential } from '../../../src/platforms/descriptor.ts';
import { connectJira } from '../../../src/platforms/jira/adapter.ts';
import { createTransport, type TransportOptions } from '../../../src/platforms/transport.ts';
import { watch } from '../../support/watched-source.ts';

export const TOKEN = 'ATATT-a-secret-of-the-tests';

const EMAIL = 'smith@example.com';

export interface ConnectOptions {
  readonly project?: string;
  /** Watches the whole site: a project without a key. */
  readonly siteWide?: boolean;
  readonly credential?: Credential;
  readonly transport?: Partial<TransportOptions>;
}

export interface Connected extends AsyncDisposable {
  readonly site: JiraEmulator;
  /** The adapter of project ABC. */
  readonly jira: TicketPlatform;
  connect(options?: ConnectOptions): TicketPlatform;
}

export async function connected(options: Partial<JiraEmulatorOptions> = {}): Promise<Connected> {
  const site = createJiraEmulator({
    deployment: 'cloud',
    accounts: { smith: { token: TOKEN, email: EMAIL }, outsider: { token: 'outsider-token', projects: ['XYZ'] } },
    projects: ['ABC', 'XYZ'],
    ...options,
  });
  await site.start();
  const own: Credential =
    site.deployment === 'cloud' ? { kind: 'basic', email: EMAIL, token: TOKEN } : { kind: 'token', token: TOKEN };
  const connect: Connected['connect'] = ({ project = 'ABC', siteWide, credential = own, transport } = {}) => {
    const { source, tickets } = watch(jiraProject(site, project, { token: TOKEN }));
    const { scope: _, ...wholeSite } = source;
    return connectJira({
      source: siteWide === true ? wholeSite : source,
      tickets,
      credential,
      transport: createTransport({ credentialId: 'smith', origin: source.apiUrl, ...transport }),
    });
  };
  return { site, connect, jira: connect(), [Symbol.asyncDispose]: () => site.close() };
}

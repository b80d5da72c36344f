/** A GitHub App on the emulator: its key in a file, one installation, adapters that sign in with it. */
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { onTestFinished } from 'vitest';
import type { InstallationOptions } from '../../../src/emulators/github/apps.ts';
import { createGitHubEmulator, type GitHubEmulator } from '../../../src/emulators/github/github-emulator.ts';
import type { TicketPlatform } from '../../../src/platforms/contract.ts';
import { connectGitHub } from '../../../src/platforms/github/adapter.ts';
import { createTransport, type Transport } from '../../../src/platforms/transport.ts';

/** Making one takes a while: one for each test file. */
export const KEY = generateKeyPairSync('rsa', { modulusLength: 2048 });
const PUBLIC_KEY = KEY.publicKey.export({ type: 'spki', format: 'pem' }).toString();

export const APP_ID = 4711;
const INSTALLATION = 7;
/** How the ledger names the installation's tokens. */
export const INSTALLED = `agent-smith/${INSTALLATION}`;

export interface AppHub {
  readonly hub: GitHubEmulator;
  readonly github: TicketPlatform;
  readonly keyFile: string;
  /** Every secret that the transport was told of. */
  readonly learned: readonly string[];
  /** Of `org/repo` and with the App's own ids unless said otherwise; one transport for each credential. */
  connect(options?: {
    readonly repository?: string;
    readonly installation?: string;
    readonly appId?: string;
  }): TicketPlatform;
  /** How many tokens the installation was given. */
  minted(): number;
}

export async function startAppHub(installation: InstallationOptions = {}): Promise<AppHub> {
  const hub = createGitHubEmulator({
    apps: { 'agent-smith': { appId: APP_ID, publicKey: PUBLIC_KEY, installations: { [INSTALLATION]: installation } } },
    repositories: ['org/repo', 'org/other'],
  });
  await hub.start();
  onTestFinished(() => hub.close());
  const keyFile = await writeKey(pem(KEY.privateKey, 'pkcs1'));
  const learned: string[] = [];
  const learnSecret = (secret: string): void => void learned.push(secret);
  const transports = new Map<string, Transport>();
  const connect: AppHub['connect'] = ({ repository = 'org/repo', ...other } = {}) => {
    const { installation: installationId, appId } = { installation: '7', appId: String(APP_ID), ...other };
    const credentialId = `${appId}/${installationId}`;
    const transport = transports.get(credentialId) ?? createTransport({ credentialId, origin: hub.url, learnSecret });
    transports.set(credentialId, transport);
    return connectGitHub({
      source: { platform: 'github', host: new URL(hub.url).host, container: repository, apiUrl: hub.url },
      credential: { kind: 'app', appId, installationId, privateKeyFile: keyFile },
      transport,
    });
  };
  const minted = (): number => hub.ledger.totals().byOperation.get('apps/create-installation-access-token') ?? 0;
  return { hub, keyFile, learned, connect, minted, github: connect() };
}

export function pem(key: KeyObject, type: 'pkcs1' | 'pkcs8'): string {
  return key.export({ type, format: 'pem' }).toString();
}

/** A file that lives as long as the test. */
async function writeKey(text: string): Promise<string> {
  const dir = await mkdtemp(path.join(os.tmpdir(), 'agent-smith-app-'));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  const file = path.join(dir, 'key.pem');
  await writeFile(file, text);
  return file;
}

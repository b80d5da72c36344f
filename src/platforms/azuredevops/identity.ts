/** Whose credential this is. */
import { z } from 'zod';
import type { AzureDevOpsClient, AzureDevOpsSession } from './client.ts';

export interface Identity {
  readonly id: string;
  readonly name: string;
  /** Nobody: what a public project shows to everybody. */
  readonly anonymous: boolean;
}

/** By organisation: the same account has another id in each. */
const createKnownIdentities = (): Map<string, Identity> => new Map();

const connectionSchema = z.object({
  authenticatedUser: z.object({
    id: z.string(),
    descriptor: z.string().catch(''),
    providerDisplayName: z.string().catch(''),
    properties: z.object({ Account: z.object({ $value: z.string() }).optional() }).catch({}),
  }),
});

/** Asked once per credential and organisation. */
export async function ownIdentity(client: AzureDevOpsClient, azure: AzureDevOpsSession): Promise<Identity> {
  const known = client.shared(createKnownIdentities);
  const cached = known.get(client.source.container);
  if (cached !== undefined) return cached;
  const identity = await askIdentity(azure);
  known.set(client.source.container, identity);
  return identity;
}

export async function askIdentity(azure: AzureDevOpsSession): Promise<Identity> {
  const { authenticatedUser: user } = azure.read(connectionSchema, await azure.ask('_apis/connectionData'));
  return {
    id: user.id,
    name: user.properties.Account?.$value ?? user.providerDisplayName,
    anonymous: user.descriptor.startsWith('System:PublicAccess'),
  };
}

import { expect, test } from 'vitest';
import { type ConnectionSpec, createConnections } from '../../src/platforms/connections.ts';
import type { TicketPlatform } from '../../src/platforms/contract.ts';
import type { PlatformDescriptor } from '../../src/platforms/descriptor.ts';
import { github } from '../../src/platforms/github/index.ts';
import { createRateLimits } from '../../src/platforms/rate-limits.ts';
import type { Transport } from '../../src/platforms/transport.ts';

/** Connections whose adapters are GitHub's, and the transports that they were given, in order. */
function open() {
  const given: Transport[] = [];
  const secrets: string[] = [];
  const limits = createRateLimits();
  const descriptor: PlatformDescriptor = {
    ...github,
    connect(options): TicketPlatform {
      given.push(options.transport);
      return github.connect(options);
    },
  };
  const specOf = (project: string, credentialName: string, container = 'org/api'): ConnectionSpec => ({
    project,
    descriptor,
    source: { platform: 'github', host: 'github.com', container, apiUrl: 'https://api.github.com' },
    tickets: {},
    credentialName,
    credential: { kind: 'token', token: `token of ${credentialName}` },
  });
  const connections = createConnections({
    onRequest: () => {},
    learnSecret: (secret) => secrets.push(secret),
    limitsOf: () => limits,
  });
  return { connections, given, secrets, limits, specOf };
}

test('projects with one credential share a transport, which a reload keeps', () => {
  const { connections, given, specOf } = open();
  connections.update([specOf('api', 'one'), specOf('web', 'one', 'org/web')]);
  connections.update([specOf('api', 'one'), specOf('docs', 'one', 'org/docs')]);
  expect(given).toHaveLength(3);
  expect(new Set(given).size).toBe(1);
  expect(connections.credentials().map(({ credential, platform }) => `${platform} ${credential}`)).toEqual([
    'github one',
  ]);
});

test('the transport of a credential that no project uses any more is forgotten', () => {
  const { connections, given, specOf } = open();
  for (const credential of ['one', 'two', 'one']) connections.update([specOf('api', credential)]);
  expect(new Set(given).size).toBe(3);
  expect(connections.credentials().map(({ credential }) => credential)).toEqual(['one']);
});

test('a transport has the limits of its credential, and passes on what its adapter learns', async () => {
  const { connections, given, secrets, limits, specOf } = open();
  connections.update([specOf('api', 'one')]);
  expect(given[0]?.limits).toBe(limits);
  await limits.learn({ waitMs: 60_000 }, 'GET /');
  expect(connections.budgetOf('api')?.heldMs).toBeGreaterThan(59_000);
  expect(connections.budgetOf('nobody')).toBeUndefined();
  given[0]?.learnSecret('an installation token');
  expect(secrets).toEqual(['an installation token']);
});

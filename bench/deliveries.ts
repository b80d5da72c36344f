/**
 * Deliveries of GitHub as it sends them, signed and all distinct: GitHub's own example of an issue that was labelled, with
 * other labels and numbers, cut to the wanted size. They are made before anything is measured.
 */
import { createHmac, randomUUID } from 'node:crypto';
import examples from '@octokit/webhooks-examples/api.github.com/index.json' with { type: 'json' };

export interface SignedDelivery {
  readonly headers: Record<string, string>;
  readonly body: Buffer;
}

/** The repository of the example. */
export const PLACE = { host: 'github.com', container: 'Codertocat/Hello-World' };
const BODY_BYTES = 6 * 1024;

/** Makes deliveries: each with a label, an id and a ticket of its own. */
export function createDeliveries(secret: string): (label: string) => SignedDelivery {
  let last = 1_000_000;
  return (label) => {
    const body = bodyOf(label, (last += 1));
    const sign = (hash: string): string => `${hash}=${createHmac(hash, secret).update(body).digest('hex')}`;
    return {
      body,
      headers: {
        accept: '*/*',
        'content-type': 'application/json',
        'user-agent': 'GitHub-Hookshot/044aadd',
        'x-github-delivery': randomUUID(),
        'x-github-event': 'issues',
        'x-github-hook-id': '292430182',
        'x-github-hook-installation-target-id': '186853002',
        'x-github-hook-installation-target-type': 'repository',
        'x-hub-signature': sign('sha1'),
        'x-hub-signature-256': sign('sha256'),
      },
    };
  };
}

const example = findExample();

function bodyOf(label: string, number: number): Buffer {
  const labels = [{ ...example.label, name: label }];
  const text = (body: string): string =>
    JSON.stringify({ ...example, issue: { ...example.issue, number, labels, body }, label: labels[0] });
  return Buffer.from(text('a'.repeat(BODY_BYTES - text('').length)));
}

interface Labelled {
  readonly action: string;
  readonly issue: object;
  readonly label: object;
}

/** Without the links that most of it consists of: with them it is twice as long as wanted. */
function findExample(): Labelled {
  const events: readonly { readonly name: string; readonly examples: readonly object[] }[] = examples;
  const found = events
    .find(({ name }) => name === 'issues')
    ?.examples.find((example) => 'action' in example && example.action === 'labeled');
  if (found === undefined) throw new Error('there is no example of a labelled issue');
  return JSON.parse(JSON.stringify(found, (key, value: unknown) => (isLink(key) ? undefined : value))) as Labelled;
}

function isLink(key: string): boolean {
  return key.endsWith('_url') && key !== 'html_url';
}

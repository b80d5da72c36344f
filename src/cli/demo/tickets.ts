/** The tickets that the demo's people write: those that start a pipeline, and those that must be left alone. */

export interface Sample {
  readonly repository: string;
  readonly title: string;
  readonly labels: readonly string[];
  /** The pipeline that its labels start; for people to see before it has started. */
  readonly pipeline: string;
  /** Its pipeline fails the first time. */
  readonly fails?: true;
}

export interface Bystander {
  readonly repository: string;
  readonly title: string;
  readonly labels: readonly string[];
  readonly isPullRequest?: true;
  readonly closed?: true;
  /** Why it is left alone, in two or three words. */
  readonly why: string;
}

export const OWNER = 'acme';
export const REPOSITORIES = ['shop', 'api'] as const;

/** `pipeline_from_label` of both repositories. */
export const PIPELINE_FROM_LABEL = {
  'agent-smith': 'fix-bug',
  'security-review': 'security-scan',
  documentation: 'add-docs',
} as const;
/** Of a ticket that carries `agent-smith:pending` alone. */
export const DEFAULT_PIPELINE = 'fix-bug';

/** In the body of a ticket whose pipeline is to fail the first time. */
export const FAILS_MARK = 'demo: fails the first time';

const fix = (repository: string, title: string): Sample => ({
  repository,
  title,
  labels: ['bug', 'agent-smith'],
  pipeline: 'fix-bug',
});
const scan = (repository: string, title: string): Sample => ({
  repository,
  title,
  labels: ['security-review'],
  pipeline: 'security-scan',
});
const explain = (repository: string, title: string): Sample => ({
  repository,
  title,
  labels: ['documentation', 'good first issue'],
  pipeline: 'add-docs',
});
const failing = (sample: Sample): Sample => ({ ...sample, fails: true });

const SAMPLES: readonly [Sample, ...Sample[]] = [
  fix('shop', 'Checkout button does nothing on Safari 17'),
  failing(fix('api', 'GET /orders answers 500 when the customer has no address')),
  { ...fix('shop', 'Cart loses its items after the session is refreshed'), labels: ['bug', 'Agent-Smith'] },
  scan('api', 'Check the new upload endpoint for path traversal'),
  { ...fix('shop', 'Prices are rounded down in Swedish kronor'), labels: ['agent-smith:pending'] },
  explain('api', 'Say in the README how to rotate the signing keys'),
  fix('api', 'Webhook retries stop after the first timeout'),
  failing(scan('shop', 'Login form: is the lockout really per account?')),
  // What a title contains must not steer the terminal.
  fix('shop', 'Receipt mail shows \u001b[31mraw escape codes\u001b[0m in the subject'),
  explain('shop', 'Document the feature flags of the checkout'),
  fix('api', 'Pagination skips a row when two orders share a timestamp'),
  fix('shop', 'Search for "jalapeño" finds nothing'),
  scan('api', 'Session cookies are missing SameSite'),
  failing(fix('shop', 'Voucher can be used twice when clicked quickly')),
  fix('api', 'Rate limiter counts health checks'),
  explain('api', 'Example for idempotency keys in the payment guide'),
  fix('shop', 'Dark mode: price tags are black on black'),
  fix('api', 'CSV export breaks on a semicolon in the company name'),
  scan('shop', 'Review the redirect parameter after sign-in'),
  fix('shop', 'Address form rejects postcodes that begin with 0'),
  failing(fix('api', 'Deadlock when two refunds of one order meet')),
  explain('shop', 'Explain the stock reservation in the handbook'),
  fix('api', 'Currency service is asked twice per request'),
  fix('shop', 'Wish list opens at the bottom of the page'),
];

export const BYSTANDERS: readonly Bystander[] = [
  {
    repository: 'shop',
    title: 'Bump vite from 7.1 to 7.2',
    labels: ['dependencies', 'agent-smith'],
    isPullRequest: true,
    why: 'pull request',
  },
  {
    repository: 'api',
    title: 'Old: invoices were numbered twice',
    labels: ['agent-smith'],
    closed: true,
    why: 'closed',
  },
  { repository: 'api', title: 'Which region do we deploy to first?', labels: ['question'], why: 'no trigger label' },
  {
    repository: 'shop',
    title: 'Newsletter box overlaps the footer',
    labels: ['agent-smith', 'agent-smith:done'],
    why: 'done before',
  },
];

/** The nth sample, from 0; after the last one they begin anew. */
export function sampleAt(index: number): Sample {
  return SAMPLES[index % SAMPLES.length] ?? SAMPLES[0];
}

/** The tickets that the demo's people write: those that start a pipeline, and those that must be left alone. */

export interface Sample {
  readonly title: string;
  readonly labels: readonly string[];
  /** The pipeline that its labels start; the verdict wants no other one. */
  readonly pipeline: string;
  /** Its pipeline fails the first time. */
  readonly fails?: true;
  /** Labels that a person adds and takes away in the moments in which we move ours. */
  readonly edits?: LabelEdits;
}

export interface LabelEdits {
  readonly adds: string;
  readonly removes: string;
}

export interface Bystander {
  readonly title: string;
  readonly labels: readonly string[];
  readonly closed?: true;
  /** Why it is left alone, in one or two words. */
  readonly why: string;
}

/** `pipeline_from_label` of every project; a ticket with several of them gets the first. */
export const PIPELINE_FROM_LABEL = {
  'agent-smith': 'fix-bug',
  'security-review': 'security-scan',
  documentation: 'add-docs',
} as const;
/** Done by a service over HTTP; the others are commands of the replicas. */
export const PIPELINE_OVER_HTTP = PIPELINE_FROM_LABEL['security-review'];
/** Of a ticket that carries `agent-smith:pending` alone. */
export const DEFAULT_PIPELINE = 'fix-bug';

/** In the body of a ticket whose pipeline is to fail the first time. */
export const FAILS_MARK = 'demo: fails the first time';

const fix = (title: string): Sample => ({ title, labels: ['bug', 'agent-smith'], pipeline: 'fix-bug' });
const scan = (title: string): Sample => ({ title, labels: ['security-review'], pipeline: 'security-scan' });
const explain = (title: string): Sample => ({
  title,
  labels: ['documentation', 'good-first-issue'],
  pipeline: 'add-docs',
});
const failing = (sample: Sample): Sample => ({ ...sample, fails: true });
const edited = (sample: Sample): Sample => ({
  ...sample,
  labels: [...sample.labels, 'triage'],
  edits: { adds: 'customer', removes: 'triage' },
});
/** Two trigger labels: the order of the configuration decides, not that of the ticket. */
const twice = (title: string): Sample => ({
  title,
  labels: ['documentation', 'security-review'],
  pipeline: 'security-scan',
});
const byHand = (title: string): Sample => ({ title, labels: ['bug', 'agent-smith:pending'], pipeline: 'fix-bug' });

/** They go to the platforms in turn, so that of the first sixteen each of four platforms gets one of every kind. */
const SAMPLES: readonly [Sample, ...Sample[]] = [
  edited(fix('Checkout button does nothing on Safari 17')),
  failing(fix('GET /orders answers 500 when the customer has no address')),
  twice('Upload endpoint: check for path traversal, say what is allowed'),
  byHand('Prices are rounded down in Swedish kronor'),

  failing(scan('Login form: is the lockout really per account?')),
  twice('Session cookies: SameSite, and a page on what they hold'),
  byHand('Webhook retries stop after the first timeout'),
  edited(explain('Say in the README how to rotate the signing keys')),

  twice('Redirect after sign-in: review it and write down the rules'),
  byHand('Cart loses its items after the session is refreshed'),
  edited(fix('Pagination skips a row when two orders share a timestamp')),
  failing(fix('Voucher can be used twice when clicked quickly')),

  byHand('Search for "jalapeño" finds nothing'),
  edited(scan('Tokens of the mobile app never expire')),
  failing(fix('Deadlock when two refunds of one order meet')),
  twice('Rate limits: look for a way round, document the numbers'),

  // What a title contains must not steer the terminal.
  fix('Receipt mail shows \u001b[31mraw escape codes\u001b[0m in the subject'),
  explain('Document the feature flags of the checkout'),
  fix('Rate limiter counts health checks'),
  explain('Example for idempotency keys in the payment guide'),
  fix('Dark mode: price tags are black on black'),
  fix('CSV export breaks on a semicolon in the company name'),
  failing(fix('Address form rejects postcodes that begin with 0')),
  explain('Explain the stock reservation in the handbook'),
  fix('Currency service is asked twice per request'),
  scan('Who may read the audit log?'),
  fix('Wish list opens at the bottom of the page'),
];

export const BYSTANDERS: readonly Bystander[] = [
  { title: 'Old: invoices were numbered twice', labels: ['agent-smith'], closed: true, why: 'closed' },
  { title: 'Old: logo too small on tablets', labels: ['agent-smith', 'bug'], closed: true, why: 'closed' },
  { title: 'Old: duplicate welcome mails', labels: ['security-review'], closed: true, why: 'closed' },
  { title: 'Old: clock of the till is slow', labels: ['agent-smith:pending'], closed: true, why: 'closed' },
  { title: 'Newsletter box overlaps the footer', labels: ['agent-smith', 'agent-smith:done'], why: 'done before' },
  { title: 'Which region do we deploy to first?', labels: ['question'], why: 'no trigger' },
  { title: 'Stock counts drift overnight', labels: ['agent-smith', 'agent-smith:failed'], why: 'failed before' },
  { title: 'Who has the keys to the test shop?', labels: ['question'], why: 'no trigger' },
];

/** The nth sample, from 0; after the last one they begin anew. */
export function sampleAt(index: number): Sample {
  return SAMPLES[index % SAMPLES.length] ?? SAMPLES[0];
}

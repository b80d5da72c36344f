/**
 * The GitHub emulator as a process of its own, so that its CPU time and memory are not those of what is measured.
 * Started with `fork`; its arguments are the number of repositories, the token and the trigger label. It says first where
 * the repositories are, and answers every message with what it has counted so far.
 */
import { LIFECYCLES, lifecycleLabel } from '../src/domain/lifecycle.ts';
import { createGitHubEmulator, type GitHubEmulator } from '../src/emulators/github/github-emulator.ts';

/** First message: where the repositories are. */
export interface EmulatedGitHub {
  /** Page of each repository. */
  readonly pages: readonly string[];
}

/** Answered requests. A 304 costs nothing of the hourly limit; everything else is paid. */
export interface RequestCounts {
  /** Listings that polls ask for. */
  readonly polls: { paid: number; notModified: number };
  /** What a replica asks for beside them: its labels, and the platform pass of repair. */
  readonly others: { paid: number; notModified: number };
}

/** The platform pass lists these two labels, polls never do. */
const PLATFORM_PASS = /[?&]labels=agent-smith(:|%3A)(enqueued|in-progress)&/;
/** More than a cold start of a thousand projects pays; an hour of GitHub's allows a person's token 5,000. */
const HOURLY_LIMIT = 15_000;
const ENDED_TICKETS = 3;

const [repositories = '', token = '', triggerLabel = ''] = process.argv.slice(2);
const names = Array.from({ length: Number(repositories) }, (_, index) => `bench/repository-${index + 1}`);
const github = createGitHubEmulator({
  tokens: { bench: { token } },
  repositories: names,
  rateLimit: { limit: HOURLY_LIMIT },
  ledger: { retainedRequests: 1 },
});
await github.start();
for (const name of names) furnish(github, name);

const counts: RequestCounts = { polls: { paid: 0, notModified: 0 }, others: { paid: 0, notModified: 0 } };
github.ledger.subscribe((entry) => {
  if (entry.kind !== 'request') return;
  const isPoll = entry.operation === 'issues/list-for-repo' && !PLATFORM_PASS.test(entry.path);
  counts[isPoll ? 'polls' : 'others'][entry.status === 304 ? 'notModified' : 'paid'] += 1;
});

const send = (message: EmulatedGitHub | RequestCounts): void => void process.send?.(message);
process.on('message', () => send(counts));
// Whoever started us is gone, in whatever way.
process.on('disconnect', () => void github.close());
send({ pages: names.map((name) => github.pageUrl(name)) });

/** A repository as it looks some time after its first run: nothing to do, and listings that are not empty. */
function furnish(server: GitHubEmulator, name: string): void {
  const { ticket } = server.openIssue(name, { labels: LIFECYCLES.map(lifecycleLabel) });
  server.setLabels(ticket, ['bug']);
  for (let ended = 0; ended < ENDED_TICKETS; ended += 1) {
    server.openIssue(name, { title: `Ended ticket ${ended + 1}`, labels: [triggerLabel, lifecycleLabel('done')] });
  }
}

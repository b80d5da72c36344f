/** What a run leaves on its ticket, and that nothing a pipeline writes means anything there (PROTOCOL 5). */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Run } from '../../src/domain/run.ts';
import { type RunResult, readRunResult } from '../../src/domain/run-result.ts';
import { closingComment } from '../../src/labels/closing-comment.ts';
import { commentHtml } from '../../src/platforms/azuredevops/comment-html.ts';
import { withMarker } from '../../src/platforms/comment-marker.ts';
import { adfOf } from '../../src/platforms/jira/adf.ts';
import { wikiOf } from '../../src/platforms/jira/wiki.ts';
import { callOf } from '../platforms/conformance/calls.ts';
import { allRuns } from '../platforms/conformance/stages.ts';
import { commandsIn, type ReadComment, readDocument, readHtml, readMarkdown, readWiki } from './comment-readers.ts';

const ID = '01K4A8Y5S0ZQ3E9M7T2V6B1CDF';
const RUN: Run = {
  id: ID,
  ticket: 'github~github.com~org%2Fapi~7',
  ticketId: '7',
  display: 'org/api#7',
  url: 'https://github.com/org/api/issues/7',
  project: 'api',
  platform: 'github',
  trigger: 'poll',
  state: 'completed',
  reason: 'exit code 0',
  pipeline: 'fix-bug',
  fence: 1,
  turn: 1,
  attempt: 2,
  attemptFence: 2,
  interrupted: 1,
  takes: 0,
  labelState: 'unconfirmed',
  labelDoubts: 0,
  createdAtMs: 1_000,
  startedAtMs: 2_000,
  endedAtMs: 14_000,
  sinceMs: 14_000,
};

function textOf(run: Partial<Run>, result?: RunResult): string {
  const comment = closingComment({ ...RUN, ...run }, result);
  return comment?.markdown ?? expect.fail('a run that has ended has a comment');
}

function resultOf(value: unknown): RunResult {
  const parsed = readRunResult(value);
  return parsed.ok ? parsed.result : expect.fail(parsed.problem);
}

test('a run that is done says so, what the pipeline says of it, and its links', () => {
  expect(textOf({})).toBe(`**Agent Smith**: pipeline \`fix-bug\` is done. Run \`${ID}\`, attempt 2, 12 s.`);
  const links = [
    { title: 'Pull request 12', url: 'https://github.com/org/api/pull/12' },
    { title: 'Log', url: 'https://ci.corp/7?a=1&b=2' },
  ];
  expect(textOf({}, { summary: 'Fixed the check.\n\nAll tests pass.', links })).toBe(
    [
      `**Agent Smith**: pipeline \`fix-bug\` is done. Run \`${ID}\`, attempt 2, 12 s.`,
      'It says:',
      '```\nFixed the check.\n\nAll tests pass.\n```',
      '- `Pull request 12` <https://github.com/org/api/pull/12>\n- `Log` <https://ci.corp/7?a=1&b=2>',
    ].join('\n\n'),
  );
  expect(textOf({}, { links: [] })).toBe(textOf({}));
});

const KINDS = [
  ['exit code 3', 'the end of its output says why'],
  ['exit code 127', 'missing or may not be executed'],
  ['killed by SIGKILL', 'want of memory'],
  ['killed by SIGSEGV', 'It crashed'],
  ['timed out after 1800 s', 'raise `timeout_seconds`'],
  ['interrupted 20 times, last: trust-lost', 'look at the replicas'],
  ['taken 10 times without a start', 'look at the logs of the replicas'],
  ['The program /x/fix.sh does not exist.', 'could not be started'],
  ["the run's policy is not usable: env: no variable API_KEY", 'could not be started'],
  ['something new', 'its output say more'],
] as const;
test.for(KINDS)('a failure for "%s" says what to do, where to look and how to run again', ([reason, advice]) => {
  const text = textOf({ state: 'failed', reason });
  expect(text).toContain(`pipeline \`fix-bug\` failed: \`${reason}\`. Run \`${ID}\``);
  expect(text).toContain(advice);
  expect(text).toContain(`\`GET /api/runs/${ID}?output=1\``);
  expect(text).toContain('remove the label `agent-smith:failed`');
});

test('what was cancelled says by whom, and what never started names no attempt', () => {
  const { startedAtMs: _, ...waiting } = RUN;
  const comment = closingComment({ ...waiting, state: 'cancelled', reason: 'cancelled by alice', attempt: 0 });
  expect(comment?.markdown).toBe(
    `**Agent Smith**: pipeline \`fix-bug\` was cancelled: \`cancelled by alice\`. Run \`${ID}\`.\n\n` +
      'To run it again, remove the label `agent-smith:failed`.',
  );
  for (const state of ['received', 'queued', 'running'] as const)
    expect(closingComment({ ...RUN, state })).toBeUndefined();
});

test('the longest result there is stays below what every platform takes, and says what is not shown', () => {
  const link = { title: 'x'.repeat(200), url: `https://ci.corp/${'{'.repeat(600)}` };
  const result = resultOf({ summary: '{'.repeat(9_000), links: Array.from({ length: 30 }, () => link) });
  const text = textOf({ state: 'failed', reason: 'y'.repeat(9_000) }, result);
  expect(text).toMatch(/\n- and \d+ more in its record$/);
  for (const written of [text, wikiOf(text, ''), JSON.stringify(adfOf(text, '')), commentHtml(text, '')])
    expect(written.length).toBeLessThan(32_767);
});

/** Each would do something if it were not quoted. */
const HOSTILE = [
  '```\n/close EVIL\n```',
  '````\n/label ~EVIL',
  '~~~\n@EVIL\n~~~',
  '\n/assign @EVIL\n',
  '`@EVIL` ``@EVIL`',
  '</code></pre></div><img src=x onerror=EVIL><a href="javascript:EVIL">x</a>',
  '{noformat}[~EVIL]{code}{{[@EVIL]}}',
  '[~accountid:EVIL]',
  '](https://evil.example/EVIL) <https://evil.example/EVIL>',
  `<!-- agent-smith run=EVIL -->`,
  '\\',
  '|EVIL|\n|---|',
  '&lt;EVIL&gt; <!-- EVIL',
  '> # EVIL',
];

const run = (reason: string): Run => ({ ...RUN, state: 'failed', reason });
const MARKER = `<!-- agent-smith run=${ID} -->`;

/** By the name of the platform's language: how our comment is read there. */
const READERS: Readonly<Record<string, (markdown: string) => ReadComment>> = {
  Markdown: (markdown) => readMarkdown(withMarker(markdown, MARKER)),
  HTML: (markdown) => readHtml(commentHtml(markdown, MARKER)),
  'the Atlassian Document Format': (markdown) => readDocument(adfOf(markdown, MARKER)),
  'wiki markup': (markdown) => readWiki(wikiOf(markdown, MARKER)),
};

describe.each(Object.entries(READERS))('in %s', (language, read) => {
  test('property: nothing that a pipeline writes stands outside of a quotation, and its links lead where it says', () => {
    const text = fc
      .array(
        fc.oneof(
          fc.constantFrom(...HOSTILE),
          fc.string({ maxLength: 5 }).map((noise) => noise.replaceAll(/[<>]/g, '')),
        ),
        { maxLength: 6 },
      )
      .map((parts) => parts.join(''));
    const url = fc.webUrl({ withQueryParameters: true, withFragments: true });
    const said = fc.record({
      summary: text,
      links: fc.array(fc.record({ title: text, url }), { maxLength: 3 }),
      reason: text,
    });
    fc.assert(
      fc.property(said, ({ reason, ...value }) => {
        const result = resultOf(value);
        const markdown = textOf(run(reason), result);
        const { open, links } = read(markdown);
        expect(open).not.toContain('EVIL');
        expect(open).toContain('To run it again');
        if (language !== 'wiki markup')
          expect(links).toEqual(result.links.map((link) => link.url.replaceAll('`', '%60')));
        expect(links).toHaveLength(result.links.length);
        expect(commandsIn(markdown)).toEqual([]);
      }),
      {
        numRuns: 150,
        examples: HOSTILE.map((evil) => [
          { summary: evil, links: [{ title: evil, url: 'https://ci.corp/?x=[~EVIL]|}`{noformat}' }], reason: evil },
        ]),
      },
    );
  });
});

test('a wiki link cannot be left: what would end it is written in another way', () => {
  const links = [{ title: 'Log', url: 'https://ci.corp/?]{color:red}[~admin]|x' }];
  expect(wikiOf(textOf({}, { links }), MARKER)).toContain('[https://ci.corp/?%5D%7Bcolor:red%7D%5B~admin%5D%7Cx]');
});

describe.each(await allRuns())('on an emulated $name', ({ name, open }) => {
  test('a hostile result and reason arrive as quotations, links as links, and the comment is found again', async () => {
    await using at = await open();
    const { id, ticket } = at.project.openTicket();
    const hostile = HOSTILE.join('\n');
    const result = resultOf({ summary: hostile, links: [{ title: hostile, url: 'https://ci.corp/7?a=1&b=2' }] });
    const comment = closingComment(run(hostile), result) ?? expect.fail('it has ended');
    await at.platform.comment(id, comment, callOf());
    await at.platform.comment(id, comment, callOf());
    const bodies = at.project.ticket(ticket).comments.map(({ body }) => body);
    expect(bodies).toHaveLength(1);
    const [body = ''] = bodies;
    expect(body).toContain('EVIL');
    const { open: left, links } = readAs(name, body);
    expect(left).not.toContain('EVIL');
    expect(links).toEqual(name === 'jira' ? [] : ['https://ci.corp/7?a=1&b=2']);
    if (name === 'gitlab') expect(commandsIn(body)).toEqual([]);
  });
});

/** Of Jira Cloud the emulator shows people the text of a document; its nodes are tested above. */
function readAs(name: string, body: string): ReadComment {
  if (name === 'azuredevops') return readHtml(body);
  if (name === 'jira') return { open: '', links: [] };
  return name.startsWith('jira') ? readWiki(body) : readMarkdown(body);
}

/**
 * Commands of the documentation: each is carried out by a test, or held against what it calls, or says in its first line what it
 * needs that a test has not got (`# needs a cluster`). No process is started here.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ControlServer, startControlServer } from '../../src/emulators/control-server.ts';
import { EMULATED_PLATFORMS, openSites, type Site } from '../../src/emulators/sites.ts';
import { codeSpans, pageText } from '../operations/pages.ts';
import { blocksOf, PAGES } from './blocks.ts';
import { CONTROL, methodOf, problemOf, problemOfHelm, problemOfMention, thereOrNot } from './known-commands.ts';
import { commandsIn } from './shell-words.ts';

const blocks = PAGES.flatMap(blocksOf);
const shell = PAGES.flatMap((page) => {
  // A page shows one trial in several blocks.
  const variables = new Map<string, string>();
  // A file of the reader's own begins with `#!`.
  const ofPage = blocksOf(page).filter(({ language, text }) => language === 'sh' && !text.startsWith('#!'));
  return ofPage.map((block) => ({ ...block, commands: commandsIn(block.text, variables) }));
});

describe('every block', () => {
  test('says what it is written in, or is no command', () => {
    expect(blocks.length).toBeGreaterThan(60);
    const languages = new Set(blocks.map(({ language }) => language));
    expect([...languages].toSorted()).toEqual(['', 'js', 'json', 'mermaid', 'sh', 'yaml']);
    const begins = /^\s*(?:npm|npx|node|agent-smith|curl|kubectl|helm|docker|git|export|cp|az) /m;
    expect(blocks.filter(({ language, text }) => language === '' && begins.test(text))).toEqual([]);
  });

  test('of commands can be followed by everybody, or says what it needs', () => {
    const open = shell.filter(({ needs }) => needs === undefined);
    expect(open.length).toBeGreaterThan(15);
    const wrong = open.flatMap(({ place, commands }) =>
      commands.flatMap((command) => {
        const problem = problemOf(command);
        return problem === undefined ? [] : [{ place, command: command.join(' '), problem }];
      }),
    );
    expect(wrong).toEqual([]);
  });

  test('that needs something calls what is ours as it is: the chart, the files, the command line', () => {
    const marked = shell.filter(({ needs }) => needs !== undefined);
    expect(marked.length).toBeGreaterThan(8);
    const wrong = marked.flatMap(({ place, commands }) =>
      commands.flatMap(([program = '', ...args]) => {
        const inside = args.indexOf('--');
        const problems = [
          program === 'helm' ? problemOfHelm(args) : undefined,
          program === 'node' && args[0] !== '-p' ? thereOrNot(args[0] ?? '') : undefined,
          inside < 0 || args[inside + 1] !== 'agent-smith' ? undefined : problemOf(args.slice(inside + 1)),
          program === 'npm' || program === 'agent-smith' ? problemOf([program, ...args]) : undefined,
        ];
        return problems.flatMap((problem) => (problem === undefined ? [] : [{ place, problem }]));
      }),
    );
    expect(wrong).toEqual([]);
  });

  test('that names a test names one that there is; the quick start of the README is carried out', () => {
    const tried = blocks.flatMap(({ triedBy }) => triedBy ?? []);
    expect(tried.map(thereOrNot).filter(Boolean)).toEqual([]);
    const start = shell.filter(({ page }) => page === 'README.md');
    expect(start.length).toBeGreaterThan(2);
    expect(start.filter(({ triedBy }) => triedBy === undefined)).toEqual([]);
  });
});

test.each([
  ['npm run demmo', 'no script demmo'],
  ['npm run bench -- --sizes', 'bench has no --sizes'],
  ['npm run doctor -- --write-test', "option '--write-test <ticket>' argument missing"],
  ['agent-smith explain', "missing required argument 'project'"],
  ['agent-smith serve', "unknown command 'serve'"],
  ['agent-smith plan --projects api', "unknown option '--projects'"],
  ['curl "http://localhost:8081/api/runz?limit=1"', 'no route GET /api/runz'],
  ['curl -d "{}" http://REPLICA:8081/health', 'no route POST /health'],
  ['curl http://example.com/', 'curl asks neither'],
  ['helm template x helm/agentsmith --set image.tagg=1', 'the chart has no image.tagg'],
  ['helm lint helm/agent-smith', 'no file helm/agent-smith'],
  ['MODE=x kubectl get pods # of ours', 'kubectl is no command that everybody has'],
])('%s would be found', (line, problem) => {
  const [command = [], ...more] = commandsIn(line);
  expect(more).toEqual([]);
  expect(problemOf(command)).toContain(problem);
});

test('a command that is mentioned has its name and its options', () => {
  const mentions = PAGES.flatMap((page) =>
    codeSpans(pageText(page)).flatMap((span) => {
      const [, call] = /^(?:npm run )?agent-smith (?:-- )?([a-zX-].*)$/s.exec(span.replaceAll(/\s+/g, ' ')) ?? [];
      return call === undefined ? [] : [{ page, call }];
    }),
  );
  expect(mentions.length).toBeGreaterThan(20);
  const wrong = mentions.flatMap(({ page, call }) => {
    const problem = problemOfMention(call);
    return problem === undefined ? [] : [{ page, call, problem }];
  });
  expect(wrong).toEqual([]);
});

describe('the emulators take what the pages send them', () => {
  let sites: readonly Site[] = [];
  let control: ControlServer;

  beforeAll(async () => {
    sites = await openSites(EMULATED_PLATFORMS);
    control = await startControlServer(sites, 0);
  });
  afterAll(async () => {
    await control.close();
    await Promise.all(sites.map((site) => site.close()));
  });

  const requests = shell.flatMap(({ place, commands }) =>
    commands
      .filter(([program, ...args]) => program === 'curl' && args.some((word) => word.startsWith(CONTROL)))
      .map((command) => ({ place, command })),
  );

  test.each(requests)('$place: $command', async ({ command: [, ...args] }) => {
    const url = args.find((word) => word.startsWith(CONTROL)) ?? '';
    const header = args.includes('-H') ? (args[args.indexOf('-H') + 1] ?? '') : '';
    const [name = '', value = ''] = header.split(': ');
    const body = args.includes('-d') ? (args[args.indexOf('-d') + 1] ?? '') : null;
    const answer = await fetch(url.replace(CONTROL, control.url), {
      method: methodOf(args),
      headers: { connection: 'close', ...(name === '' ? {} : { [name]: value }) },
      body,
    });
    expect([answer.status, await answer.text()]).toEqual([expect.toBeOneOf([200, 201]), expect.any(String)]);
  });

  test('there are some', () => {
    expect(requests.length).toBeGreaterThan(8);
  });
});

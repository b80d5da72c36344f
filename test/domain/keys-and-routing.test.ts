/** PROTOCOL 1: which ticket it is, which project takes it, which pipeline it runs. */
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { lifecycleWithoutClaim } from '../../src/domain/eligibility.ts';
import { LIFECYCLES, lifecycleLabel, lifecycleOf, readLifecycle } from '../../src/domain/lifecycle.ts';
import { defaultPipeline, resolvePipeline } from '../../src/domain/pipeline-resolver.ts';
import type { Catalog, Project, Routing } from '../../src/domain/project.ts';
import { projectsOnSource, routeTicket } from '../../src/domain/routing.ts';
import { sourceKey, type TicketSource, ticketKey } from '../../src/domain/ticket.ts';

const source: TicketSource = { platform: 'github', host: 'github.com', container: 'Org/Api', apiUrl: '' };

describe('keys', () => {
  const part = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.string(),
    fc.constantFrom('a~b', 'a', '~', ':', '%7E', 'A/B'),
  );
  const parts = fc.tuple(part, part, part, part);
  const keyOf = ([platform, host, container, id]: readonly [string, string, string, string]): string =>
    ticketKey({ platform, host, container }, id);

  test('has four parts, and nothing in them can be taken for a separator', () => {
    expect(ticketKey(source, '7')).toBe('github~github.com~org%2Fapi~7');
    fc.assert(
      fc.property(parts, (of) => {
        expect(keyOf(of)).toMatch(/^[\w.%-]*(~[\w.%-]*){3}$/);
      }),
    );
  });

  test('differs exactly when the parts differ in more than letter case', () => {
    fc.assert(
      fc.property(parts, parts, (a, b) => {
        const same = a.every((text, n) => text.toLowerCase() === b[n]?.toLowerCase());
        expect(keyOf(a) === keyOf(b)).toBe(same);
      }),
    );
    fc.assert(
      fc.property(parts, (of) => {
        const [platform, host, container, id] = of;
        expect(keyOf([platform, host, container.toLowerCase(), id])).toBe(keyOf(of));
      }),
    );
  });

  test('half a character from a broken text does not stop a claim', () => {
    expect(ticketKey(source, '\uD800')).toMatch(/^github~/);
  });

  test('of a source: the address of the API plays no part, what narrows the listing does', () => {
    expect(sourceKey({ ...source, apiUrl: 'https://elsewhere.test' })).toBe(sourceKey(source));
    expect(sourceKey({ ...source, container: 'org/API' })).toBe(sourceKey(source));
    expect(sourceKey({ ...source, scope: 'team' })).not.toBe(sourceKey(source));
    expect(sourceKey({ ...source, container: 'org', scope: 'api' })).not.toBe(sourceKey(source));
  });
});

const routing = (
  labels: readonly (readonly [string, string])[],
  rest: Omit<Routing, 'pipelineFromLabel'> = {},
): Routing => ({
  pipelineFromLabel: new Map(labels),
  ...rest,
});

describe('PipelineResolver', () => {
  test('the first key in YAML order wins, also when keys are numbers', () => {
    const numbers = routing([
      ['10', 'ten'],
      ['2', 'two'],
      ['bug', 'fix'],
    ]);
    expect(resolvePipeline(numbers, ['bug', '2', '10'])).toEqual({ pipeline: 'ten', label: '10' });
    expect(resolvePipeline(numbers, ['bug', '2'])).toEqual({ pipeline: 'two', label: '2' });
  });

  test('letter case is ignored, and the label is told as the configuration spells it', () => {
    expect(resolvePipeline(routing([['Agent-Smith', 'fix']]), ['AGENT-SMITH'])).toEqual({
      pipeline: 'fix',
      label: 'Agent-Smith',
    });
  });

  test('a label of ours is never a trigger', () => {
    const ours = routing([['agent-smith:done', 'never']]);
    expect(resolvePipeline(ours, ['agent-smith:done', 'Agent-Smith:Done'])).toBeUndefined();
  });

  test('pending alone runs default_pipeline, else pipeline, else fix-bug', () => {
    const pending = ['Agent-Smith:Pending'];
    expect(resolvePipeline(routing([], { defaultPipeline: 'a', pipeline: 'b' }), pending)).toEqual({ pipeline: 'a' });
    expect(resolvePipeline(routing([], { pipeline: 'b' }), pending)).toEqual({ pipeline: 'b' });
    expect(resolvePipeline(routing([]), pending)).toEqual({ pipeline: 'fix-bug' });
    expect(defaultPipeline(routing([]))).toBe('fix-bug');
  });

  test('a trigger label beside pending decides the pipeline', () => {
    const both = routing([['scan', 'security']], { defaultPipeline: 'fix' });
    expect(resolvePipeline(both, ['agent-smith:pending', 'scan'])).toEqual({ pipeline: 'security', label: 'scan' });
  });

  test('nobody asked: neither a trigger label nor pending', () => {
    expect(
      resolvePipeline(routing([['go', 'fix']], { defaultPipeline: 'fix' }), ['bug', 'agent-smith:done']),
    ).toBeUndefined();
  });

  test('for every map and every set of labels: the winner is the first key that is on the ticket', () => {
    const word = fc.constantFrom('1', '10', '2', 'bug', 'Bug!', 'go', 'scan', 'x y');
    fc.assert(
      fc.property(fc.uniqueArray(word), fc.array(word), (keys, labels) => {
        const route = resolvePipeline(routing(keys.map((key) => [key, `run ${key}`])), labels);
        const first = keys.find((key) => labels.includes(key));
        expect(route).toEqual(first === undefined ? undefined : { pipeline: `run ${first}`, label: first });
      }),
    );
  });
});

const project = (name: string, rules: Routing, changes: Partial<Project> = {}): Project => ({
  name,
  source,
  code: { type: 'GitHub', url: '' },
  routing: rules,
  triggers: new Set(['poll', 'webhook', 'manual', 'reconcile']),
  ...changes,
});

describe('routing of a source with several projects', () => {
  const bugs = project('bugs', routing([['bug', 'fix']]));
  const scans = project('scans', routing([['scan', 'security']], { defaultPipeline: 'triage' }));
  const late = project('late', routing([['late', 'late']], { pipeline: 'late' }));

  test('the first project in YAML order with a matching trigger label takes the ticket', () => {
    expect(routeTicket([bugs, scans], ['scan', 'bug'])).toEqual({
      project: bugs,
      route: { pipeline: 'fix', label: 'bug' },
    });
    expect(routeTicket([scans, bugs], ['scan', 'bug'])?.project).toBe(scans);
  });

  test('pending goes to the first project that names a default, a trigger label goes first', () => {
    expect(routeTicket([bugs, scans, late], ['agent-smith:pending'])).toEqual({
      project: scans,
      route: { pipeline: 'triage' },
    });
    expect(routeTicket([bugs, scans, late], ['agent-smith:pending', 'late'])?.project).toBe(late);
    expect(routeTicket([bugs], ['agent-smith:pending'])?.route).toEqual({ pipeline: 'fix-bug' });
  });

  test('nobody wants it', () => {
    expect(routeTicket([bugs, scans], ['question'])).toBeUndefined();
    expect(routeTicket([], ['bug', 'agent-smith:pending'])).toBeUndefined();
  });

  test('only enabled projects on the same source that take the trigger count', () => {
    const elsewhere = project('elsewhere', bugs.routing, { source: { ...source, container: 'org/other' } });
    const spelled = project('spelled', bugs.routing, { source: { ...source, container: 'ORG/API' } });
    const off = project('off', bugs.routing, { disabled: 'no token' });
    const polled = project('polled', bugs.routing, { triggers: new Set(['poll']) });
    const projects = [elsewhere, off, polled, spelled, bugs];
    const catalog: Catalog = { hash: '', projects, pipelines: new Map() };
    expect(projectsOnSource(catalog, bugs, 'poll')).toEqual([polled, spelled, bugs]);
    expect(projectsOnSource(catalog, bugs, 'webhook')).toEqual([spelled, bugs]);
  });
});

describe('what a ticket shows', () => {
  test('several lifecycle labels: done/failed > in-progress > enqueued > pending', () => {
    const order = ['pending', 'enqueued', 'in-progress', 'done'] as const;
    for (const [n, lifecycle] of order.entries()) {
      expect(readLifecycle(order.slice(0, n + 1).map(lifecycleLabel))).toBe(lifecycle);
    }
    expect(readLifecycle(['bug', 'agent-smith:other'])).toBeUndefined();
  });

  test('of done and failed together the record decides, without one it is failed', () => {
    const both = ['agent-smith:done', 'agent-smith:failed'];
    expect(readLifecycle(both)).toBe('failed');
    expect(readLifecycle(both, 'done')).toBe('done');
    expect(readLifecycle(['agent-smith:failed'], 'done')).toBe('failed');
  });

  test('a label is read in any letter case, and only as a whole', () => {
    for (const lifecycle of LIFECYCLES) expect(lifecycleOf(lifecycleLabel(lifecycle).toUpperCase())).toBe(lifecycle);
    expect(lifecycleOf('agent-smith:done ')).toBeUndefined();
    expect(lifecycleOf('done')).toBeUndefined();
  });

  test('a claim that comes to nothing leaves what was there before it', () => {
    const bugs = project('bugs', routing([['bug', 'fix']]));
    const enqueued = lifecycleLabel('enqueued');
    expect(lifecycleWithoutClaim([enqueued, 'bug'], [bugs])).toBeUndefined();
    expect(lifecycleWithoutClaim([enqueued], [bugs])).toBe('pending');
    expect(lifecycleWithoutClaim([enqueued, 'bug', lifecycleLabel('pending')], [bugs])).toBe('pending');
    expect(lifecycleWithoutClaim([enqueued, lifecycleLabel('failed')], [bugs])).toBe('failed');
    const asked = [enqueued, lifecycleLabel('done'), lifecycleLabel('pending')];
    expect(lifecycleWithoutClaim(asked, [bugs])).toBe('done');
    expect(lifecycleWithoutClaim(asked, [bugs], { previous: { state: 'completed' } })).toBe('pending');
    const retried = { previous: { state: 'cancelled' }, again: true } as const;
    expect(lifecycleWithoutClaim([enqueued, 'bug'], [bugs], retried)).toBe('failed');
  });
});

/**
 * The dashboard of an operator: what is asked first stands first. Written down as questions and expressions; Grafana's own form,
 * with a place and a number for each panel, is made of it. `node scripts/generate-schema.ts` writes the file.
 */

interface Query {
  readonly expr: string;
  /** Of Grafana: `{{label}}` is the value of a label. */
  readonly legend: string;
}

interface Panel {
  readonly title: string;
  readonly description: string;
  readonly type: 'stat' | 'timeseries' | 'table';
  /** Of 24. */
  readonly width: number;
  readonly unit: string;
  readonly queries: readonly Query[];
  /** Said where there is no value. */
  readonly noValue?: string;
}

interface Row {
  readonly title: string;
  readonly panels: readonly Panel[];
}

const SCOPE = 'namespace=~"$namespace",job="$job"';
const WIDTH = 24;
const HEIGHTS = { stat: 4, timeseries: 8, table: 8 } as const;
const DATASOURCE = { type: 'prometheus', uid: '${datasource}' } as const;

/** The series of a metric that belong to the chosen deployment. */
const of = (metric: string, matchers = ''): string => `agentsmith_${metric}{${SCOPE}${matchers && `,${matchers}`}}`;
const grown = (metric: string, matchers = ''): string => `increase(${of(metric, matchers)}[$__rate_interval])`;
const query = (expr: string, legend: string): Query => ({ expr, legend });

function quantiles(metric: string, by: readonly string[] = []): readonly Query[] {
  const rate = `sum by (${['le', ...by].join(', ')}) (rate(${of(`${metric}_bucket`)}[$__rate_interval]))`;
  const name = by.map((label) => `{{${label}}} `).join('');
  return [0.5, 0.95].map((part) => query(`histogram_quantile(${part}, ${rate})`, `${name}p${part * 100}`));
}

function stat(title: string, description: string, queries: readonly Query[], noValue?: string): Panel {
  return { title, description, type: 'stat', width: 4, unit: 'short', queries, ...(noValue && { noValue }) };
}

function graph(title: string, description: string, unit: string, queries: readonly Query[]): Panel {
  return { title, description, type: 'timeseries', width: 8, unit, queries };
}

const NOW: Row = {
  title: 'Now',
  panels: [
    stat('Ready replicas', 'Replicas that can do their share. 0: nothing is claimed or started.', [
      query(`sum(${of('ready')})`, 'ready'),
    ]),
    stat(
      'Leaders',
      'One of each role: the poller finds tickets, housekeeping repairs. Missing for longer than half a minute: see /health.',
      [query(`count by (role) (${of('leader_epoch')} > 0)`, '{{role}}')],
      'nobody leads',
    ),
    stat('At work, of slots', 'Attempts at work on all replicas, and how many there may be.', [
      query(`sum(${of('active_runs')})`, 'at work'),
      query(`sum(${of('slots')})`, 'slots'),
    ]),
    stat('Runs that wait', 'Queued runs of all projects: for a slot, or for their turn under a cap.', [
      query(`sum(max by (project) (${of('backlog_runs')}))`, 'wait'),
    ]),
    stat(
      'Deliveries that wait',
      'Tickets whose deliveries are to be looked at. More and more: a platform does not answer.',
      [query(`max(${of('inbox_tickets')})`, 'tickets')],
    ),
    stat('Labels not confirmed', 'Runs whose ticket may not show what is on record. A few for a moment are normal.', [
      query(`max(${of('unconfirmed_labels')})`, 'labels'),
    ]),
    {
      title: 'Findings',
      description: 'What the deployment says is wrong with it, by code; docs/operations.md has a row for each.',
      type: 'table',
      width: 8,
      unit: 'short',
      queries: [query(`max by (code) (${of('findings')})`, '{{code}}')],
      noValue: 'none',
    },
    graph('Where runs are', 'Live runs by state: received is a claim under way.', 'short', [
      query(`max by (state) (${of('runs', 'state=~"received|queued|running"')})`, '{{state}}'),
    ]),
    graph(
      'Slots',
      'Attempts at work beside the slots there are. At the line for long: more replicas, or more slots.',
      'short',
      [query(`sum(${of('active_runs')})`, 'at work'), query(`sum(${of('slots')})`, 'slots')],
    ),
  ],
};

const TICKETS: Row = {
  title: 'Tickets and runs',
  panels: [
    graph(
      'Claims by outcome',
      'What came of looks at tickets. Failed without claimed: mostly a token that may only read.',
      'short',
      [query(`sum by (outcome) (${grown('claims_total')})`, '{{outcome}}')],
    ),
    graph('Runs ended by outcome', 'Completed, failed, cancelled.', 'short', [
      query(`sum by (state) (${grown('runs_ended_total')})`, '{{state}}'),
    ]),
    graph('Failed runs by pipeline', 'Which pipeline fails, for which project.', 'short', [
      query(`sum by (project, pipeline) (${grown('runs_ended_total', 'state="failed"')})`, '{{project}} {{pipeline}}'),
    ]),
    graph(
      'Waiting, by what for',
      'Backlog: a slot or a cap. Queue: a worker, or another try. Inbox: a look at the ticket.',
      'short',
      [
        query(`sum(max by (project) (${of('backlog_runs')}))`, 'backlog: a slot or a cap'),
        query(`max(${of('queue_depth')})`, 'queue: a worker, or another try'),
        query(`max(${of('inbox_tickets')})`, 'inbox: a look at the ticket'),
        query(`max(${of('runs', 'state="received"')})`, 'received: the end of the claim'),
      ],
    ),
    graph('Backlog by project', 'Queued runs that wait to be admitted.', 'short', [
      query(`max by (project) (${of('backlog_runs')})`, '{{project}}'),
    ]),
    graph('Admitted by project', 'In the queue or at work: what max_parallel_jobs of a project counts.', 'short', [
      query(`max by (project) (${of('admitted_runs')})`, '{{project}}'),
    ]),
  ],
};

const LATENCY: Row = {
  title: 'How long it takes',
  panels: [
    graph(
      'From a delivery to the start',
      'From the arrival of a webhook to the first attempt of its run, waits for slots included.',
      's',
      quantiles('delivery_to_start_seconds'),
    ),
    graph(
      'Time between polls',
      'So long a label may stand before a poll sees it. Longer than configured: the budget runs low, or polls fail.',
      's',
      [query(`max by (project) (${of('poll_effective_interval_seconds')})`, '{{project}}')],
    ),
    graph(
      'Duration of a poll',
      'Of one project, claims included: from the listing to the queue.',
      's',
      quantiles('poll_duration_seconds', ['platform']),
    ),
    graph(
      'From a transition to its label',
      'How late tickets show what happens. 60 s is the largest that can be told apart.',
      's',
      quantiles('label_lag_seconds'),
    ),
    graph('Duration of runs', 'The last attempt of ended runs.', 's', quantiles('run_duration_seconds', ['pipeline'])),
    graph(
      'Requests to platforms',
      'Duration of one request.',
      's',
      quantiles('platform_request_duration_seconds', ['platform']),
    ),
  ],
};

const PLATFORMS: Row = {
  title: 'Polls and platforms',
  panels: [
    graph(
      'Failed polls',
      'By platform and kind of failure. auth: the token. unavailable: the status page of the platform.',
      'short',
      [query(`sum by (platform, result) (${grown('polls_total', 'result!="ok"')})`, '{{platform}} {{result}}')],
    ),
    graph(
      'Age of the last poll',
      'Grows to its interval and falls back. A line that only grows is a project that nobody polls.',
      's',
      [query(`time() - max by (project) (${of('last_poll_timestamp_seconds')})`, '{{project}}')],
    ),
    {
      title: 'Projects whose last poll failed',
      description: 'When it was, by project and kind of failure.',
      type: 'table',
      width: 8,
      unit: 's',
      queries: [
        query(
          `time() - max by (project, result) (${of('last_poll_timestamp_seconds', 'result!="ok"')})`,
          '{{project}}',
        ),
      ],
      noValue: 'none',
    },
    graph(
      'API budget that is left',
      'Of what a credential may ask in its window. Below 15 % polls come later; claims and labels go first.',
      'percentunit',
      [
        query(
          `min by (credential) (${of('platform_rate_limit_remaining')} / ${of('platform_budget_limit')})`,
          '{{credential}}',
        ),
      ],
    ),
    graph('Credentials held back', 'No call is made for so long, because the platform asked to wait.', 's', [
      query(`max by (credential) (${of('platform_budget_held_seconds')})`, '{{credential}}'),
    ]),
    graph(
      'Requests by purpose',
      'What is asked of the platforms; 304 is left out, since it costs no budget.',
      'short',
      [
        query(
          `sum by (platform, purpose) (${grown('platform_requests_total', 'status!="304"')})`,
          '{{platform}} {{purpose}}',
        ),
      ],
    ),
    graph('Requests that failed', 'By platform and answer; a word stands for no answer.', 'short', [
      query(
        `sum by (platform, status) (${grown('platform_requests_total', 'status!~"[23].."')})`,
        '{{platform}} {{status}}',
      ),
    ]),
  ],
};

const WEBHOOKS: Row = {
  title: 'Webhooks and callbacks',
  panels: [
    graph('Webhook requests', 'By how they were answered.', 'short', [
      query(`sum by (result) (${grown('webhook_deliveries_total')})`, '{{result}}'),
    ]),
    graph(
      'Refused or not kept',
      'unproven: the secret, or a stranger. not-persisted: Redis is away or full, the platform sends again.',
      'short',
      [
        query(
          `sum by (platform, result) (${grown('webhook_deliveries_total', 'result=~"no-route|not-persisted|unproven|unreadable"')})`,
          '{{platform}} {{result}}',
        ),
      ],
    ),
    graph(
      'Deliveries by what became of them',
      'later: it could not be looked at, and is tried again for 24 hours.',
      'short',
      [query(`sum by (outcome) (${grown('deliveries_settled_total')})`, '{{outcome}}')],
    ),
    graph('Missed, and found again', 'Changes whose delivery never came. Many by listing: look at the hook.', 'short', [
      query(`sum by (platform, by) (${grown('missed_event_recoveries_total')})`, '{{platform}} {{by}}'),
    ]),
    graph('Results of services', 'Callbacks of the http runner, by how they were answered.', 'short', [
      query(`sum by (result) (${grown('callbacks_total')})`, '{{result}}'),
    ]),
  ],
};

const HOUSE: Row = {
  title: 'Redis, leaders, repair',
  panels: [
    graph(
      'What is wrong with Redis',
      'recovering: it lost data or was replaced. redis-evicts: it would throw records away. The other codes are in docs/operations.md.',
      'short',
      [
        query(
          `max by (code) (${of('findings', 'code=~"recovering|not-replicated|redis-evicts|redis-forgets|redis-refuses-writes|redis-settings-unknown"')})`,
          '{{code}}',
        ),
      ],
    ),
    graph(
      'Waits for a replica of Redis',
      'With durability: replicated. unconfirmed: a failover would lose that write.',
      'short',
      [query(`sum by (result) (${grown('redis_replica_waits_total')})`, '{{result}}')],
    ),
    graph(
      'Who leads',
      'A line for each term of a leader: it begins and ends with the term. Many short ones: a slow Redis, or replicas that stand still.',
      'short',
      [query(`count by (role, instance) (${of('leader_epoch')} > 0)`, '{{role}} {{instance}}')],
    ),
    graph(
      'Repairs',
      'By kind. dead-attempt: a worker died at work. The others put right what a crash left behind.',
      'short',
      [query(`sum by (kind) (${grown('repairs_total')})`, '{{kind}}')],
    ),
    graph(
      'Spans of traces',
      'Only where traces are on. lost: the collector did not take them; runs are not affected.',
      'short',
      [query(`sum by (result) (${grown('trace_spans_total')})`, '{{result}}')],
    ),
    graph('Ready, by replica', '1 while it can do its share.', 'short', [
      query(`max by (instance) (${of('ready')})`, '{{instance}}'),
    ]),
    graph(
      'Memory, by replica',
      'Of the process alone: commands of pipelines come on top, in the same container.',
      'bytes',
      [query(`max by (instance) (${of('process_resident_memory_bytes')})`, '{{instance}}')],
    ),
  ],
};

/** In Grafana's form (schema 39, Grafana 10.4 and newer). */
export function grafanaDashboard(): object {
  let y = 0;
  let id = 0;
  const panels = [NOW, TICKETS, LATENCY, PLATFORMS, WEBHOOKS, HOUSE].flatMap((row) => {
    const head = {
      id: ++id,
      type: 'row',
      title: row.title,
      collapsed: false,
      gridPos: { x: 0, y, w: WIDTH, h: 1 },
      panels: [],
    };
    y += 1;
    let x = 0;
    let height = 0;
    const placed = row.panels.map((panel) => {
      if (x + panel.width > WIDTH) {
        x = 0;
        y += height;
        height = 0;
      }
      const gridPos = { x, y, w: panel.width, h: HEIGHTS[panel.type] };
      x += panel.width;
      height = Math.max(height, gridPos.h);
      return { ...panelOf(panel), id: ++id, gridPos };
    });
    y += height;
    return [head, ...placed];
  });
  return {
    uid: 'agent-smith',
    title: 'Agent Smith',
    description: 'Whether tickets become runs, how fast, and what is in the way.',
    tags: ['agent-smith'],
    schemaVersion: 39,
    version: 1,
    editable: true,
    graphTooltip: 1,
    refresh: '30s',
    time: { from: 'now-6h', to: 'now' },
    timezone: 'browser',
    annotations: { list: [] },
    links: [],
    templating: { list: VARIABLES },
    panels,
  };
}

const VARIABLES = [
  { name: 'datasource', label: 'Prometheus', type: 'datasource', query: 'prometheus' },
  { ...labelVariable('namespace', 'agentsmith_ready'), includeAll: true, allValue: '.*', multi: true },
  labelVariable('job', 'agentsmith_ready{namespace=~"$namespace"}'),
];

/** Asks Prometheus which values a label has. */
function labelVariable(name: string, series: string): object {
  const values = `label_values(${series}, ${name})`;
  return {
    name,
    type: 'query',
    datasource: DATASOURCE,
    definition: values,
    query: { query: values, refId: 'Prometheus' },
    refresh: 2,
    sort: 1,
  };
}

function panelOf({ type, title, description, unit, queries, noValue }: Panel): object {
  const instant = type === 'table';
  const targets = queries.map(({ expr, legend }, i) => ({
    refId: `Q${i + 1}`,
    datasource: DATASOURCE,
    expr,
    legendFormat: legend,
    ...(instant ? { instant, range: false, format: 'table' } : { range: true }),
  }));
  const defaults = { unit, min: 0, ...(noValue !== undefined && { noValue }) };
  return {
    type,
    title,
    description,
    datasource: DATASOURCE,
    targets,
    fieldConfig: { defaults, overrides: [] },
    options: optionsOf(type),
  };
}

function optionsOf(type: Panel['type']): object {
  switch (type) {
    case 'stat':
      return { reduceOptions: { calcs: ['lastNotNull'] }, textMode: 'value_and_name', colorMode: 'none' };
    case 'timeseries':
      return { legend: { displayMode: 'list', placement: 'bottom' }, tooltip: { mode: 'multi', sort: 'desc' } };
    case 'table':
      return { showHeader: true };
    default:
      return type satisfies never;
  }
}

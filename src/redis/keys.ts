/**
 * The data model on one page: every key of ours in Redis, its type, who writes it, how long it lives. Nothing else in
 * the house builds a key. In Cluster the first word becomes a hash tag, so that one script may touch several keys.
 *
 * | key                                    | type   | written by          | lives                                   |
 * |----------------------------------------|--------|---------------------|-----------------------------------------|
 * | leader:<role>                          | string | coordination        | lease TTL; value `instance:token`        |
 * | leader-epoch:<role>                    | string | coordination        | for ever; last epoch of the role         |
 * | incarnation                            | hash   | redis               | for ever; id, server, since              |
 * | replication-mark                       | string | redis               | for ever; a count of the waits for a replica |
 * | claim-lock:<platform>:<ticket>         | string | runs (claims)       | claim lock TTL; value = token            |
 * | ticket:<ticket>                        | hash   | runs                | with its live run, and 90 d after its last claim, end or decision |
 * | run:<id>                               | hash   | runs                | until its end, and 30 d                  |
 * | backlog:<project>                      | zset   | runs (admissions)   | until they are admitted; run ids by the time they were queued |
 * | put-off:<project>                      | zset   | runs (worker)       | until they are due, and back in the backlog; run ids by that time |
 * | vain-turns:<project>                   | hash   | runs (worker)       | until one starts, or 10 min after the last |
 * | admitted:project:<name>                | set    | runs (admissions)   | until they end; run ids that count towards its cap |
 * | admitted:pipeline:<name>               | set    | runs (admissions)   | the same for the cap of a pipeline       |
 * | offered                                | set    | runs (admissions)   | until a worker takes their job; run ids    |
 * | set-aside                              | set    | runs (admissions)   | until a worker takes their job again; run ids |
 * | free-slots                             | hash   | runs (admissions)   | until no replica has told its own for seconds |
 * | output:<id>                            | string | runs                | 7 d; redacted tail of the output         |
 * | callback:<id>                          | hash   | runs (worker)       | the timeout of its attempt and 7 d, or 7 d after a result |
 * | result:<id>                            | string | runs                | 30 d, as the run's end; what it says came of it, as JSON |
 * | runs:<state>                           | zset   | runs                | run ids by time of entry, trimmed at 30 d |
 * | runs:unconfirmed                       | zset   | runs                | run ids by the time their label is due   |
 * | unheard                                | zset   | runs                | until somebody says who has heard, or 30 d; ended runs whose service is to be told, by when |
 * | heartbeat:<ticket>                     | string | runs (worker)       | heartbeat TTL; `run:attempt:fence`       |
 * | delivery:<platform>:<source>:<id>      | hash   | runs (deliveries)   | 14 d, and among the newest 100,000       |
 * | deliveries                             | zset   | runs (deliveries)   | their names by time of arrival, trimmed  |
 * | inbox:<ticket>                         | hash   | runs (deliveries)   | until its deliveries are settled: 24 h   |
 * | inbox-due                              | zset   | runs (deliveries)   | tickets with an inbox, by when they are due |
 * | arrivals                               | hash   | runs (deliveries)   | for ever; last delivery of each project  |
 * | places                                 | hash   | coordination        | for ever; a platform's id of each source |
 * | decisions                              | stream | runs                | capped at about 100,000                  |
 * | budget:<credential>                    | hash   | coordination        | until its waits and its window are over  |
 * | polls                                  | hash   | coordination        | a day after the last poll                |
 * | missed                                 | hash   | coordination        | a week after the last entry              |
 * | listening                              | hash   | coordination        | for ever; two fields                     |
 * | configs                                | hash   | coordination        | until no replica has noted its own for a while |
 * | never-there                            | none   | redis               | never; empty writes to it ask whether writes are taken |
 * | queue:*                                | BullMQ | queue               | jobs are removed when they end           |
 *
 * ticket: run (current or last run id), previous (the run before a claim that is still `received`), fence (last one
 * given out), starts (times of the runs of the last 24 h), failures and backoffUntil (definite claim failures),
 * decision (the last one written, so that only a change is written again).
 * run: the fields of `domain/run.ts`, and beside them `attempt:<n>`: each attempt that has ended, as JSON; the newest 25.
 * callback: by a run's id, `token:<n>` of each attempt as SHA-256, and `told`: what a service said came of the run.
 * delivery: the fields of `domain/delivery.ts`, and beside them `open` (tickets not settled), `final` (what its state will
 * be), `reroutable` (ignored by this configuration only), `outcome:<ticket>`. inbox: by delivery name, when it was received,
 * the ticket's id, the projects that it reaches, the configuration that says so; `@lease` while somebody looks at the ticket.
 * budget: the fields in `scripts/share-budget.lua`. polls: the last poll of each project, by its name, as JSON. missed: how far
 * each project's platform was asked for missed deliveries, by its name, as JSON. listening: when a replica could take
 * deliveries last (`at`), and how long nobody could, all in all (`downMs`). configs: by instance, when it noted which
 * configuration; and `@differsSince`. vain-turns: how many
 * in a row (`times`), and when the next run of the project may be tried (`nextMs`), once they are too many. free-slots: by instance, how many slots it has free, and until when that is believed.
 *
 * The lists of fair use are named by what the record of a run says, and not every caller of a script knows that before: the
 * prelude of the scripts builds the same names, from the key of the record.
 *
 * What is kept for ever is as many as there are roles, projects or sources in the configuration. What is kept until it has
 * ended (live runs, their tickets, the inbox) is as much as there is to do. Everything else goes by itself, or by the
 * retention pass (repair/retention.ts), which also takes off the lists what they name in vain.
 */
import type { RunState } from '../domain/run.ts';
import type { TicketKey } from '../domain/ticket.ts';

export interface Keys {
  readonly prefix: string;
  leader(role: string): string;
  leaderEpoch(role: string): string;
  /** Pub/sub channel on which a released lease is announced; no key. */
  leaderReleased(role: string): string;
  /** Pub/sub channel on which it is said that somebody wants a run at work to end; no key. */
  readonly cancelRequested: string;
  readonly incarnation: string;
  readonly replicationMark: string;
  claimLock(platform: string, ticket: TicketKey): string;
  ticket(ticket: TicketKey): string;
  run(id: string): string;
  /** Runs of a project that wait to be admitted. */
  backlog(project: string): string;
  /** Runs of a project that could not start, until they may be tried again. */
  putOff(project: string): string;
  /** Turns of a project that could not start, since one could. */
  vainTurns(project: string): string;
  /** Runs that count towards the cap of a project or a pipeline. */
  admitted(kind: 'project' | 'pipeline', name: string): string;
  readonly offered: string;
  readonly setAside: string;
  readonly freeSlots: string;
  output(id: string): string;
  /** Of the run with this id. */
  callback(id: string): string;
  /** Pub/sub channel on which a result that was kept is announced; no key. */
  readonly callbackTold: string;
  result(id: string): string;
  runs(state: RunState): string;
  readonly unconfirmed: string;
  readonly unheard: string;
  heartbeat(ticket: TicketKey): string;
  /** By its whole name, `<platform>:<source>:<id>`. */
  delivery(name: string): string;
  readonly deliveries: string;
  inbox(ticket: TicketKey): string;
  readonly inboxDue: string;
  readonly arrivals: string;
  readonly places: string;
  readonly decisions: string;
  /** By the credential's name, never the secret. */
  budget(credential: string): string;
  readonly polls: string;
  readonly missed: string;
  readonly listening: string;
  readonly configs: string;
  readonly neverThere: string;
  /** BullMQ's prefix. */
  readonly queuePrefix: string;
}

export interface KeysOptions {
  /** First word of every key; separates deployments on one Redis. */
  readonly namespace: string;
  readonly cluster?: boolean;
}

export function createKeys(options: KeysOptions): Keys {
  const prefix = options.cluster === true ? `{${options.namespace}}` : options.namespace;
  const key = (...parts: string[]): string => [prefix, ...parts].join(':');
  return {
    prefix,
    leader: (role) => key('leader', role),
    leaderEpoch: (role) => key('leader-epoch', role),
    leaderReleased: (role) => key('leader-released', role),
    cancelRequested: key('cancel-requested'),
    incarnation: key('incarnation'),
    replicationMark: key('replication-mark'),
    claimLock: (platform, ticket) => key('claim-lock', platform, ticket),
    ticket: (ticket) => key('ticket', ticket),
    run: (id) => key('run', id),
    backlog: (project) => key('backlog', project),
    putOff: (project) => key('put-off', project),
    vainTurns: (project) => key('vain-turns', project),
    admitted: (kind, name) => key('admitted', kind, name),
    offered: key('offered'),
    setAside: key('set-aside'),
    freeSlots: key('free-slots'),
    output: (id) => key('output', id),
    callback: (id) => key('callback', id),
    callbackTold: key('callback-told'),
    result: (id) => key('result', id),
    runs: (state) => key('runs', state),
    unconfirmed: key('runs', 'unconfirmed'),
    unheard: key('unheard'),
    heartbeat: (ticket) => key('heartbeat', ticket),
    delivery: (name) => key('delivery', name),
    deliveries: key('deliveries'),
    inbox: (ticket) => key('inbox', ticket),
    inboxDue: key('inbox-due'),
    arrivals: key('arrivals'),
    places: key('places'),
    decisions: key('decisions'),
    budget: (credential) => key('budget', credential),
    polls: key('polls'),
    missed: key('missed'),
    listening: key('listening'),
    configs: key('configs'),
    neverThere: key('never-there'),
    queuePrefix: key('queue'),
  };
}

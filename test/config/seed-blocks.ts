/** The two configurations that the original document shows. They must load as they stand, whatever else changes. */

export const MINIMAL = `projects:
  my-api:
    source:
      type: GitHub
      url: https://github.com/org/my-api
    tickets:
      type: GitHub
      url: https://github.com/org/my-api
      auth: token
    pipeline: fix-bug

    polling:
      enabled: true            # default: false
`;

export const FULL = `projects:
  my-api:
    # ... source, tickets, agent ...

    pipeline: fix-bug

    # Trigger config decides which pipeline a polled ticket runs.
    # Polling and webhook share this section — pipeline_from_label
    # maps a user-facing label on the ticket to a pipeline; lifecycle
    # labels (agent-smith:*) are filtered before matching. First key
    # in the map whose value appears on the ticket wins; default_pipeline
    # is the fallback when nothing matches. Same semantics on both paths
    # since p0099a.
    github_trigger:
      default_pipeline: fix-bug
      pipeline_from_label:
        agent-smith: fix-bug
        security-review: security-scan

    polling:
      enabled: true
      interval_seconds: 30
      jitter_percent: 15

agent:
  queue:
    max_parallel_jobs: 4       # consumer-side backpressure
    consume_block_seconds: 5
    shutdown_grace_seconds: 30
`;

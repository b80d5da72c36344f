/** What the server must be allowed to do in a namespace for its Jobs: no more than this. The Role in the docs says the same. */
export interface Right {
  readonly verb: string;
  /** With its API group: `jobs.batch`. */
  readonly resource: string;
  /** It works without, but worse. */
  readonly without?: string;
}

export const RIGHTS: readonly Right[] = [
  ...['create', 'list', 'watch', 'patch', 'delete'].map((verb) => ({ verb, resource: 'jobs.batch' })),
  ...['list', 'watch'].map((verb) => ({ verb, resource: 'pods', without: 'no output and no result' })),
  { verb: 'get', resource: 'pods/log', without: 'no output' },
  { verb: 'create', resource: 'secrets' },
];

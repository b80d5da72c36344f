/** Who may do what: bearer tokens with the rules of their Roles, as Kubernetes reads them. */

/** As in a Role. `*` is any. */
export interface PolicyRule {
  readonly apiGroups: readonly string[];
  /** `jobs`, `pods/log` */
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
}

export interface Account {
  /** As refusals name it. */
  readonly user: string;
  /** The same in every namespace. */
  readonly rules: readonly PolicyRule[];
}

export interface Deed {
  readonly verb: string;
  readonly group: string;
  readonly resource: string;
}

export const MAY_ALL: readonly PolicyRule[] = [{ apiGroups: ['*'], resources: ['*'], verbs: ['*'] }];

export function mayDo({ rules }: Account, { verb, group, resource }: Deed): boolean {
  const has = (list: readonly string[], word: string): boolean => list.includes('*') || list.includes(word);
  return rules.some((rule) => has(rule.verbs, verb) && has(rule.apiGroups, group) && has(rule.resources, resource));
}

export function refusal({ user }: Account, { verb, group, resource }: Deed, namespace: string): string {
  return `${resource} is forbidden: User "${user}" cannot ${verb} resource "${resource}" in API group "${group}" in the namespace "${namespace}"`;
}

/** `labelSelector` and `fieldSelector`, as far as they are `key=value` joined by commas. */
import type { KubeObject } from './objects.ts';

export interface Selectors {
  readonly labelSelector: string | undefined;
  readonly fieldSelector: string | undefined;
}

export function matchesSelectors(object: KubeObject, { labelSelector, fieldSelector }: Selectors): boolean {
  const { labels = {}, name, namespace } = object.metadata;
  const fields: Record<string, string> = { 'metadata.name': name, 'metadata.namespace': namespace };
  return (
    pairs(labelSelector).every(([key, value]) => labels[key] === value) &&
    pairs(fieldSelector).every(([key, value]) => fields[key] === value)
  );
}

/** Selectors that the emulator does not know would otherwise select everything. */
export function unknownSelector({ labelSelector = '', fieldSelector = '' }: Selectors): string | undefined {
  const badLabel = labelSelector.split(',').find((part) => part !== '' && !/^[^=!(]+=[^=]*$/.test(part));
  const badField = fieldSelector.split(',').find((part) => part !== '' && !/^metadata\.(name|namespace)=/.test(part));
  return badLabel ?? badField;
}

function pairs(selector = ''): [string, string][] {
  return selector.split(',').flatMap((part) => {
    const [key = '', value = ''] = part.split(/=(.*)/s);
    return part === '' ? [] : [[key, value] as [string, string]];
  });
}

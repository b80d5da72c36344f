/**
 * The trigger labels of a project in the order of the file, which decides when a ticket carries several. They stand in a
 * mapping, or in a list of mappings with one label each: for files that are written by tools which sort keys.
 */
import type { ConfigDocument } from './document.ts';
import type { Path } from './problems.ts';

export interface TriggerLabel {
  readonly label: string;
  /** Where its pipeline stands. */
  readonly path: Path;
}

/** `trigger` is the path of a trigger section. Empty when it names no labels. */
export function triggerLabels(document: ConfigDocument, trigger: Path): readonly TriggerLabel[] {
  const section: Path = [...trigger, 'pipeline_from_label'];
  const labelsAt = (mapping: Path): TriggerLabel[] =>
    document.keysAt(mapping).map((label) => ({ label, path: [...mapping, label] }));

  const labels = labelsAt(section);
  for (let index = 0; document.keysAt([...section, index]).length > 0; index += 1) {
    labels.push(...labelsAt([...section, index]));
  }
  return labels;
}

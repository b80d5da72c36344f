/**
 * The YAML file as plain values that remember where they stood. Keys are taken as they are written (`007` stays `007`)
 * and their order is kept beside the values, because JavaScript objects put numeric keys first. A key without a value
 * is there with `undefined`: as good as absent where it is optional, and still an unknown key where it is unknown.
 */
import {
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type Pair,
  parseDocument,
  type Document as YamlDocument,
} from 'yaml';
import type { Path, Position, Problem } from './problems.ts';

export interface ConfigDocument {
  readonly tree: unknown;
  /** Where the key or list item stands; the nearest enclosing one if it is not there. Line and column from 1. */
  positionOf(path: Path): Position | undefined;
  /** The keys of a mapping in the order of the file; empty when there is no mapping. */
  keysAt(path: Path): readonly string[];
}

export type ReadDocument =
  | { readonly ok: true; readonly document: ConfigDocument }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/** No sensible file comes near it; it stops aliases that multiply. */
const MOST_NODES = 100_000;

/** Reads YAML 1.2. Problems carry line and column, and no text of the file: a secret may stand there. */
export function readDocument(text: string): ReadDocument {
  const lines = new LineCounter();
  const yaml = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const at = (offset: number): Position => {
    const { line, col } = lines.linePos(offset);
    return { line, column: col };
  };
  const faults = [...yaml.errors, ...yaml.warnings];
  if (faults.length > 0) {
    return { ok: false, problems: faults.map((fault) => ({ path: [], message: fault.message, ...at(fault.pos[0]) })) };
  }
  if (yaml.contents === null) return { ok: false, problems: [{ path: [], message: 'the file is empty' }] };
  const walked = walk(yaml, at);
  return walked.problems.length > 0
    ? { ok: false, problems: walked.problems }
    : { ok: true, document: walked.document };
}

function walk(yaml: YamlDocument, at: (offset: number) => Position): { document: ConfigDocument; problems: Problem[] } {
  const positions = new Map<string, Position>();
  const keys = new Map<string, string[]>();
  const problems: Problem[] = [];
  const openAliases = new Set<Node>();
  let visited = 0;

  const refuse = (path: Path, node: Node | null, message: string): undefined => {
    problems.push({ path, message, ...(node?.range ? at(node.range[0]) : {}) });
    return undefined;
  };

  const valueOf = (node: Node | null, path: Path): unknown => {
    visited += 1;
    if (visited > MOST_NODES) return visited === MOST_NODES + 1 ? refuse([], node, 'the file is too large') : undefined;
    if (isAlias(node)) {
      const target = node.resolve(yaml);
      if (target === undefined || openAliases.has(target)) return refuse(path, node, 'the alias refers to itself');
      openAliases.add(target);
      const value = valueOf(target, path);
      openAliases.delete(target);
      return value;
    }
    if (isMap(node)) return mappingOf(node.items as Pair<Node | null, Node | null>[], path);
    if (isSeq(node)) {
      return (node.items as Node[]).map((item, index) => {
        const itemPath = [...path, index];
        if (item.range) positions.set(JSON.stringify(itemPath), at(item.range[0]));
        return valueOf(item, itemPath);
      });
    }
    return isScalar(node) ? (node.value ?? undefined) : undefined;
  };

  const mappingOf = (pairs: readonly Pair<Node | null, Node | null>[], path: Path): Record<string, unknown> => {
    const values: Record<string, unknown> = {};
    const order: string[] = [];
    for (const { key: node, value } of pairs) {
      const key = keyText(node);
      if (key === undefined || key === '__proto__') {
        refuse(path, node, 'this cannot be a key');
        continue;
      }
      const keyPath = [...path, key];
      if (node?.range) positions.set(JSON.stringify(keyPath), at(node.range[0]));
      if (Object.hasOwn(values, key)) refuse(keyPath, node, 'the key is there twice');
      values[key] = valueOf(value, keyPath);
      order.push(key);
    }
    keys.set(JSON.stringify(path), order);
    return values;
  };

  if (yaml.contents?.range) positions.set('[]', at(yaml.contents.range[0]));
  const tree = valueOf(yaml.contents, []);
  const document: ConfigDocument = {
    tree,
    positionOf(path) {
      for (let length = path.length; length >= 0; length -= 1) {
        const position = positions.get(JSON.stringify(path.slice(0, length)));
        if (position !== undefined) return position;
      }
      return undefined;
    },
    keysAt: (path) => keys.get(JSON.stringify(path)) ?? [],
  };
  return { document, problems };
}

/** A key as it is written: `1.0` and `007` are names here, not numbers. */
function keyText(node: Node | null): string | undefined {
  if (!isScalar(node) || node.value === null) return undefined;
  return typeof node.value === 'string' ? node.value : node.source;
}

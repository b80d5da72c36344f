/** A page of /metrics as Prometheus keeps it: its samples, with the labels of the replica that they came from. */

export interface Sample {
  /** The name of the metric is the label `__name__`. */
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface Scrape {
  /** Wall-clock ms. */
  readonly atMs: number;
  readonly samples: readonly Sample[];
}

const SAMPLE = /^(\w+)(?:\{(.*)\})? (\S+)$/;
const LABEL = /(\w+)="((?:[^"\\]|\\.)*)"(?:,|$)/g;

/** @param target what Prometheus adds to each sample: namespace, job, pod */
export function readScrape(page: string, atMs: number, target: Readonly<Record<string, string>> = {}): Scrape {
  const lines = page.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return { atMs, samples: lines.map((line) => readSample(line, target)) };
}

function readSample(line: string, target: Readonly<Record<string, string>>): Sample {
  const [, name, list = '', value] = SAMPLE.exec(line) ?? [];
  if (name === undefined) throw new Error(`no sample: ${line}`);
  const labels = [...list.matchAll(LABEL)].map(([, label = '', text = '']) => [
    label,
    JSON.parse(`"${text}"`) as string,
  ]);
  return {
    labels: { ...target, ...Object.fromEntries(labels), __name__: name },
    value: Number(value?.replace('Inf', 'Infinity')),
  };
}

/** Scrapes of several replicas at one moment. */
export function together(scrapes: readonly Scrape[]): Scrape {
  return { atMs: Math.max(...scrapes.map(({ atMs }) => atMs)), samples: scrapes.flatMap(({ samples }) => samples) };
}

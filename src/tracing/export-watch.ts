/**
 * What may wait to be sent, and what became of it: at most so many spans at once, each counted once as sent or lost, and one
 * warning for each time that sending begins to fail.
 */
import type { Log } from '../foundation/log.ts';

export interface ExportWatch {
  /** Whether there is room for one span more; a span that finds none is lost. */
  admit(): boolean;
  sent(spans: number): void;
  /** @param why in the words of a library: for the log alone */
  lost(spans: number, why: string): void;
  /** The process ends: what waits is lost, and what becomes of it is heard no more. */
  giveUp(): void;
}

export interface ExportWatchDeps {
  readonly onSpans: (facts: { readonly result: 'sent' | 'lost'; readonly spans: number }) => void;
  readonly log: Log;
}

export function createExportWatch({ onSpans, log }: ExportWatchDeps, { most }: { readonly most: number }): ExportWatch {
  let waiting = 0;
  let isFailing = false;
  let isOver = false;

  const tellLoss = (spans: number, why: string): void => {
    onSpans({ result: 'lost', spans });
    // An outage of a collector loses batch after batch: the metric counts them, one line is enough.
    log[isFailing ? 'debug' : 'warn']({ spans, why }, 'spans of traces lost');
    isFailing = true;
  };

  return {
    admit() {
      if (waiting >= most) {
        tellLoss(1, `${most} spans wait to be sent already`);
        return false;
      }
      waiting += 1;
      return true;
    },
    sent(spans) {
      if (isOver) return;
      waiting -= spans;
      isFailing = false;
      onSpans({ result: 'sent', spans });
    },
    lost(spans, why) {
      if (isOver) return;
      waiting -= spans;
      tellLoss(spans, why);
    },
    giveUp() {
      if (!isOver && waiting > 0) tellLoss(waiting, 'the process ended before they were sent');
      isOver = true;
    },
  };
}

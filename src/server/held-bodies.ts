/**
 * Bodies of requests, byte for byte, within a bound on the memory that they take: each for itself, and all of them together
 * from the first byte until they are done with. Strangers send them before anything is proven.
 */
import type { IncomingMessage } from 'node:http';

export interface BodyLimits {
  readonly mostBytes: number;
  /** Of all bodies that are being received or worked on. */
  readonly mostBytesInFlight: number;
}

export type BodyRefusal = { readonly kind: 'too-large' } | { readonly kind: 'overloaded' };

/** What of a request matters here. */
export type SentBody = Pick<IncomingMessage, 'headers'> & AsyncIterable<Buffer>;

export interface HeldBodies {
  /**
   * Reads a body to its end and hands it over; it counts until `use` is over.
   * @throws when the sender goes away before the end, and what `use` throws
   */
  hold<T>(request: SentBody, use: (body: Buffer) => Promise<T>): Promise<T | BodyRefusal>;
}

const NOTHING: Buffer = Buffer.alloc(0);

export function createHeldBodies({ mostBytes, mostBytesInFlight }: BodyLimits): HeldBodies {
  let inFlight = 0;

  const whyRefused = (size: number, more: number): BodyRefusal | undefined => {
    if (size > mostBytes) return { kind: 'too-large' };
    return inFlight + more > mostBytesInFlight ? { kind: 'overloaded' } : undefined;
  };

  return {
    async hold(request, use) {
      let bytes = NOTHING;
      let size = 0;
      const resize = (to: number): void => {
        inFlight += to - size;
        size = to;
      };
      try {
        let refusal = whyRefused(Number(request.headers['content-length'] ?? 0), 0);
        for await (const chunk of request) {
          refusal ??= whyRefused(size + chunk.length, chunk.length);
          if (refusal === undefined) {
            bytes = withRoomFor(size + chunk.length, bytes, mostBytes);
            chunk.copy(bytes, size);
            resize(size + chunk.length);
          } else {
            // Read to its end all the same: a sender that is cut off does not read the answer.
            bytes = NOTHING;
            resize(0);
          }
        }
        return refusal ?? (await use(bytes.subarray(0, size)));
      } finally {
        resize(0);
      }
    },
  };
}

/** Grows by doubling instead of keeping the chunks: a body sent in single bytes would be an object for each of them. */
function withRoomFor(size: number, bytes: Buffer, most: number): Buffer {
  if (size <= bytes.length) return bytes;
  const grown = Buffer.allocUnsafe(Math.max(size, Math.min(2 * bytes.length, most)));
  bytes.copy(grown);
  return grown;
}

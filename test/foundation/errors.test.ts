import { expect, test } from 'vitest';
import { messageOf, OperationError, unreachable } from '../../src/foundation/errors.ts';

test('an error names its operation and keeps its cause', () => {
  const cause = new Error('connection reset');
  const error = new OperationError('begin-claim', cause);
  expect(error).toMatchObject({ name: 'OperationError', message: 'begin-claim: connection reset', cause });
});

test.each([
  [new Error('plain'), 'plain'],
  ['text', 'text'],
  [undefined, 'undefined'],
  [new AggregateError([new Error('::1 refused'), new Error('127.0.0.1 refused')]), '::1 refused; 127.0.0.1 refused'],
  [new AggregateError([new Error('one')], 'both failed'), 'both failed'],
])('whatever is thrown has a message (%#)', (thrown, message) => {
  expect(messageOf(thrown)).toBe(message);
});

test('an impossible value is a clear error at run time', () => {
  expect(() => unreachable({ kind: 'new' } as never)).toThrow('unexpected value: {"kind":"new"}');
});

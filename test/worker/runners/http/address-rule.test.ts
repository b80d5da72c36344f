/** Which addresses a service may have: examples of each kind, and rules that hold for every address in every spelling. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createAddressRule, parseAddressRange } from '../../../../src/worker/runners/http/address-rule.ts';

const strict = createAddressRule([]);

test.each([
  ['0.0.0.0', 'unspecified'],
  ['127.0.0.1', 'loopback'],
  ['127.255.255.255', 'loopback'],
  ['10.0.0.1', 'private'],
  ['172.16.0.1', 'private'],
  ['172.31.255.255', 'private'],
  ['192.168.1.1', 'private'],
  ['100.64.0.1', 'carrier-grade NAT'],
  ['100.127.255.255', 'carrier-grade NAT'],
  ['169.254.1.1', 'link-local'],
  ['169.254.169.254', 'a metadata service'],
  ['168.63.129.16', 'a metadata service'],
  ['100.100.100.200', 'a metadata service'],
  ['224.0.0.1', 'multicast'],
  ['255.255.255.255', 'reserved'],
  ['198.18.0.1', 'reserved'],
  ['::', 'unspecified'],
  ['::1', 'loopback'],
  ['0:0:0:0:0:0:0:1', 'loopback'],
  ['fe80::1', 'link-local'],
  ['fe80::1%eth0', 'link-local'],
  ['fc00::1', 'private'],
  ['FD12:3456::1', 'private'],
  ['fec0::1', 'private'],
  ['fd00:ec2::254', 'a metadata service'],
  ['fd00:0ec2:0:0:0:0:0:0254', 'a metadata service'],
  ['ff02::1', 'multicast'],
  ['::ffff:127.0.0.1', 'loopback'],
  ['::ffff:7f00:1', 'loopback'],
  ['::ffff:a9fe:a9fe', 'a metadata service'],
  ['64:ff9b::10.0.0.1', 'private'],
  ['64:ff9b::', 'unspecified'],
  ['64:ff9b::a9fe:a9fe', 'a metadata service'],
  ['64:ff9b:1::1', 'reserved'],
  ['::7f00:1', 'reserved'],
  ['2002:7f00:1::', 'reserved'],
  ['2001::1', 'reserved'],
  ['2001:db8::1', 'reserved'],
  ['4000::1', 'reserved'],
  ['', 'no address'],
  ['localhost', 'no address'],
  ['127.1', 'no address'],
  ['0x7f000001', 'no address'],
])('%s is refused: %s', (address, reason) => {
  expect(strict(address)).toBe(reason);
});

test.each([
  '8.8.8.8',
  '1.1.1.1',
  '172.15.255.255',
  '172.32.0.0',
  '100.63.255.255',
  '100.128.0.0',
  '126.255.255.255',
  '128.0.0.0',
  '169.253.255.255',
  '223.255.255.255',
  '2606:4700::1111',
  '2a00:1450:4001::200e',
  '::ffff:8.8.8.8',
  '64:ff9b::8.8.8.8',
  '64:ff9b::808:808',
])('%s is let through', (address) => {
  expect(strict(address)).toBeUndefined();
});

describe('what is allowed', () => {
  test('a range opens what is in it, in every spelling, and nothing beside it', () => {
    const rule = createAddressRule(['10.1.0.0/16', 'fd12::/16', '127.0.0.1']);
    for (const open of ['10.1.2.3', '::ffff:10.1.2.3', '64:ff9b::a01:203', 'fd12::1', 'FD12:0::1%eth0', '127.0.0.1'])
      expect([open, rule(open)]).toEqual([open, undefined]);
    for (const shut of ['10.2.0.1', 'fd13::1', '127.0.0.2', '::1', '192.168.0.1'])
      expect([shut, rule(shut)]).toEqual([shut, expect.any(String)]);
  });

  test('a metadata service is in no range: it has to be named itself', () => {
    const wide = createAddressRule(['0.0.0.0/0', '::/0']);
    expect(wide('10.0.0.1')).toBeUndefined();
    for (const address of ['169.254.169.254', '168.63.129.16', '::ffff:169.254.169.254', 'fd00:ec2::254'])
      expect([address, wide(address)]).toEqual([address, 'a metadata service']);
    expect(createAddressRule(['169.254.169.254/32'])('169.254.169.254')).toBeUndefined();
    expect(createAddressRule(['fd00:ec2:0::254'])('fd00:ec2::254')).toBeUndefined();
  });

  test.each([
    '',
    'localhost',
    '10.0.0.0/33',
    '::1/129',
    '10.0.0/8',
    '10.0.0.0/',
    '10.0.0.0/-1',
    'fe80::1%eth0',
    ' ::1',
  ])('"%s" is no range, and allows nothing', (text) => {
    expect(parseAddressRange(text)).toBeUndefined();
    expect(createAddressRule([text])('127.0.0.1')).toBe('loopback');
  });
});

/** The special ranges of IPv4 once more, as numbers: what the rule says has to agree with plain arithmetic. */
const SHUT_V4: readonly (readonly [from: number, to: number])[] = [
  [0x00000000, 0x00ffffff],
  [0x0a000000, 0x0affffff],
  [0x64400000, 0x647fffff],
  [0x7f000000, 0x7fffffff],
  [0xa83f8110, 0xa83f8110],
  [0xa9fe0000, 0xa9feffff],
  [0xac100000, 0xac1fffff],
  [0xc0000000, 0xc00000ff],
  [0xc0000200, 0xc00002ff],
  [0xc0586300, 0xc05863ff],
  [0xc0a80000, 0xc0a8ffff],
  [0xc6120000, 0xc613ffff],
  [0xc6336400, 0xc63364ff],
  [0xcb007100, 0xcb0071ff],
  [0xe0000000, 0xffffffff],
];

const dotted = (value: number): string => [24, 16, 8, 0].map((shift) => (value >>> shift) & 255).join('.');
const anyV4 = fc.oneof(
  fc.nat(0xffffffff),
  // Chance alone would hardly ever find an edge.
  fc
    .tuple(fc.constantFrom(...SHUT_V4.flat()), fc.integer({ min: -2, max: 2 }))
    .map(([edge, off]) => Math.min(0xffffffff, Math.max(0, edge + off))),
);
const groups = (value: number): string => `${(value >>> 16).toString(16)}:${(value & 0xffff).toString(16)}`;

test('every IPv4 address is judged as arithmetic says, and the same in every IPv6 address that carries it', () => {
  fc.assert(
    fc.property(anyV4, (value) => {
      const shut = SHUT_V4.some(([from, to]) => value >= from && value <= to);
      const verdict = strict(dotted(value));
      expect(verdict === undefined).toBe(!shut);
      for (const carrier of ['::ffff:', '0:0:0:0:0:FFFF:', '64:ff9b::', '0064:ff9b:0:0:0:0:'])
        for (const spelt of [groups(value), dotted(value)]) expect(strict(carrier + spelt)).toBe(verdict);
    }),
    { numRuns: 500 },
  );
});

const anyV6 = fc.array(fc.nat(0xffff), { minLength: 8, maxLength: 8 }).chain((all) =>
  // Many zeros, and beginnings of the special ranges.
  fc
    .tuple(fc.constantFrom(...all, 0x2001, 0x2002, 0xfc00, 0xfe80, 0x3fff, 0x64), fc.nat(7))
    .map(([first, zeros]) => [first, ...all.slice(1).map((group, i) => (i < zeros ? 0 : group))]),
);

test('nothing of IPv6 outside 2000::/3 is let through but what carries a public IPv4 address; spelling makes no difference', () => {
  fc.assert(
    fc.property(anyV6, (all) => {
      const full = all.map((group) => group.toString(16).padStart(4, '0')).join(':');
      const verdict = strict(full);
      const [first = 0] = all;
      const carries = /^(0000:){5}ffff:|^0064:ff9b:(0000:){4}/.test(full);
      if (first >> 13 !== 1 && !carries) expect(verdict).toBeDefined();
      if (verdict === undefined && !carries)
        expect([0x2002, 0x3fff].includes(first) && (all[1] ?? 0) < 0x1000).toBe(false);
      const short = new URL(`http://[${full}]`).hostname.slice(1, -1);
      for (const spelt of [short, full.toUpperCase(), `${short}%1`]) expect(strict(spelt)).toBe(verdict);
    }),
    { numRuns: 500 },
  );
});

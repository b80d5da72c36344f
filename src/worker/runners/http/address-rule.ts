/**
 * Which addresses a service may have. A URL comes from the configuration, but what its name resolves to is said by
 * whoever owns the name, at each moment anew: so the address itself is judged, right before it is connected to. Pure.
 *
 * Only addresses of the public internet are let through. The rest needs to be named in the configuration, and the services
 * that hand out the credentials of a machine need to be named one by one: a range that happens to hold one does not do.
 */
import { BlockList, isIP } from 'node:net';

export interface AddressRange {
  readonly address: string;
  readonly prefix: number;
  readonly family: 'ipv4' | 'ipv6';
}

/** Why an address may not be connected to, in one word group; undefined when it may. */
export type AddressRule = (address: string) => string | undefined;

/** Registries of special-purpose addresses of IANA, RFC 6890 and its successors. The first match names the reason. */
const SPECIAL: readonly (readonly [reason: string, ranges: readonly string[]])[] = [
  ['unspecified', ['0.0.0.0/8', '::/128']],
  ['loopback', ['127.0.0.0/8', '::1/128']],
  ['link-local', ['169.254.0.0/16', 'fe80::/10']],
  ['private', ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', 'fc00::/7', 'fec0::/10']],
  ['carrier-grade NAT', ['100.64.0.0/10']],
  ['multicast', ['224.0.0.0/4', 'ff00::/8']],
  [
    'reserved',
    [
      '192.0.0.0/24',
      '192.0.2.0/24',
      '192.88.99.0/24',
      '198.18.0.0/15',
      '198.51.100.0/24',
      '203.0.113.0/24',
      '240.0.0.0/4',
      // Of IPv6 only 2000::/3 is given out, and of that not: Teredo and its neighbours, examples, 6to4.
      '::/3',
      '2001::/23',
      '2001:db8::/32',
      '2002::/16',
      '3fff::/20',
      '4000::/2',
      '8000::/1',
    ],
  ],
];

/** They give the rights of the machine to whoever can ask them, and some stand on public addresses. */
const METADATA = [
  '169.254.169.254',
  '169.254.170.2',
  '169.254.170.23',
  '168.63.129.16',
  '100.100.100.200',
  '192.0.0.192',
  'fd00:ec2::254',
  'fd00:ec2::23',
  'fd20:ce::254',
];

/** An address, or `address/prefix`; undefined for anything else. */
export function parseAddressRange(text: string): AddressRange | undefined {
  const [, address = '', length] = /^([0-9a-f:.]+)(?:\/(\d{1,3}))?$/i.exec(text) ?? [];
  const version = isIP(address);
  if (version === 0) return undefined;
  const longest = version === 4 ? 32 : 128;
  const prefix = length === undefined ? longest : Number(length);
  return prefix > longest ? undefined : { address, prefix, family: version === 4 ? 'ipv4' : 'ipv6' };
}

const KINDS = SPECIAL.map(([reason, ranges]) => ({ reason, matches: matcherOf(ranges) }));
const isMetadata = matcherOf(METADATA);

/** `allowed` are ranges as `parseAddressRange` takes them; what it does not take allows nothing. */
export function createAddressRule(allowed: readonly string[]): AddressRule {
  const single = allowed.filter((text) => parseAddressRange(text)?.prefix === (text.includes(':') ? 128 : 32));
  const namedOne = matcherOf(single);
  const isOpen = matcherOf(allowed);
  return (given) => {
    const address = reached(given);
    if (isIP(address) === 0) return 'no address';
    if (namedOne(address)) return undefined;
    if (isMetadata(address)) return 'a metadata service';
    return isOpen(address) ? undefined : KINDS.find(({ matches }) => matches(address))?.reason;
  };
}

/**
 * Where packets to this address go: an IPv6 address that carries an IPv4 address (mapped, or by a NAT64 gateway) leads to
 * that one. A zone is left out, since it only says by which link.
 */
function reached(given: string): string {
  const address = given.replace(/%.*$/, '');
  if (isIP(address) !== 6) return address;
  const groups = groupsOf(address);
  const carrier = groups.slice(0, 6).join(':');
  if (carrier !== '0:0:0:0:0:ffff' && carrier !== '64:ff9b:0:0:0:0') return address;
  return groups
    .slice(6)
    .map((group) => Number.parseInt(group, 16))
    .flatMap((group) => [group >> 8, group & 255])
    .join('.');
}

/** The eight groups of an IPv6 address, in lower case and without leading zeros: URLs know one spelling only. */
function groupsOf(address: string): string[] {
  const [head = '', tail] = new URL(`http://[${address}]`).hostname.slice(1, -1).split('::');
  const split = (part: string): string[] => (part === '' ? [] : part.split(':'));
  const [first, last] = [split(head), split(tail ?? '')];
  return [...first, ...Array<string>(8 - first.length - last.length).fill('0'), ...last];
}

/** Each family in a list of its own: in a common one IPv4 addresses are compared with IPv6 ranges as if they were mapped. */
function matcherOf(texts: readonly string[]): (address: string) => boolean {
  const lists = { ipv4: new BlockList(), ipv6: new BlockList() };
  for (const range of texts.map(parseAddressRange)) {
    if (range !== undefined) lists[range.family].addSubnet(range.address, range.prefix, range.family);
  }
  return (address) => {
    const family = isIP(address) === 4 ? 'ipv4' : 'ipv6';
    return lists[family].check(address, family);
  };
}

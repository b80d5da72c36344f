/**
 * Connections to a service, to no other address than the rule allows. It is asked right before each connection, about the
 * very addresses that are connected to, so a name that leads elsewhere from one moment to the next changes nothing.
 *
 * Node's proxy variables are not followed: behind a proxy it is the proxy that looks the name up and connects, and no rule
 * of ours would be asked (docs/runners/http.md).
 */
import { lookup as lookUp } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import type { Agent } from 'undici';
import type { AddressRule } from './address-rule.ts';

/** The service has no address that may be connected to. The message is a sentence for people. */
export class AddressRefused extends Error {
  constructor(host: string, refusals: readonly (readonly [address: string, reason: string])[]) {
    const all = refusals.map(([address, reason]) => (address === host ? reason : `${address} is ${reason}`));
    super(`${host} may not be asked: ${all.join(', ')}. See allow_addresses in docs/runners/http.md.`);
    this.name = 'AddressRefused';
  }
}

/**
 * To be closed by whoever opens it. A service may be silent for as long as it likes: who asks has a deadline. Its library is
 * loaded by the first: a server whose pipelines ask no service starts a tenth faster without.
 */
export async function openConnector(rule: AddressRule): Promise<Agent> {
  const { Agent, buildConnector } = await import('undici');
  const lookup: LookupFunction = (host, options, callback) => {
    lookUp(host, { ...options, all: true }, (error, found) => {
      if (error !== null) return callback(error, []);
      const refusals = found.flatMap(({ address }) => {
        const reason = rule(address);
        return reason === undefined ? [] : [[address, reason] as const];
      });
      const open = found.filter(({ address }) => !refusals.some(([refused]) => refused === address));
      const [first] = open;
      if (first === undefined) return callback(new AddressRefused(host, refusals), []);
      if (options.all === true) return callback(null, open);
      return callback(null, first.address, first.family);
    });
  };
  // Said outright, since a variable of the environment could say otherwise.
  const connect = buildConnector({ lookup, rejectUnauthorized: true });
  return new Agent({
    connect(options, callback) {
      // An address needs no look-up, so nobody would be asked about it.
      const reason = isIP(options.hostname) === 0 ? undefined : rule(options.hostname);
      if (reason === undefined) connect(options, callback);
      else callback(new AddressRefused(options.hostname, [[options.hostname, reason]]), null);
    },
    headersTimeout: 0,
    bodyTimeout: 0,
  });
}

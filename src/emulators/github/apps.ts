/**
 * GitHub Apps: who signs in by a JWT of its own key, and gets tokens for its installations. A JWT is judged as GitHub
 * does, by its signature and by the server's clock; a token ends after its hour and has the long form of today.
 */
import { createPublicKey, type KeyObject, randomBytes, verify } from 'node:crypto';
import { type Permission, secretIn, type Tokens } from './tokens.ts';

export interface AppOptions {
  readonly appId: number;
  /** PEM. */
  readonly publicKey: string;
  /** By id. */
  readonly installations: Readonly<Record<number, InstallationOptions>>;
}

export interface InstallationOptions {
  /** Who has installed it. Default `org`. */
  readonly account?: string;
  /** Full names of the selected repositories; all when absent. */
  readonly repositories?: readonly string[];
  /** Default `write`. */
  readonly issues?: Permission;
  /** What it may do to the webhooks of repositories; few Apps ask for that, having one of their own. Default `none`. */
  readonly webhooks?: Permission;
}

export interface Installation {
  readonly id: number;
  /** Under which the ledger knows its tokens, whichever it is: `agent-smith/7`. */
  readonly tokenId: string;
  readonly account: string;
  readonly repositories: readonly string[] | undefined;
  readonly issues: Permission;
  readonly webhooks: Permission;
  suspendedAtMs: number | undefined;
}

export interface App {
  readonly appId: number;
  readonly slug: string;
  /** Takes the place of the id in a JWT, if one likes. */
  readonly clientId: string;
  readonly installations: ReadonlyMap<number, Installation>;
  /** A new token for the installation. */
  mint(installation: Installation): { readonly token: string; readonly expiresAtMs: number };
}

export type IdentifiedApp =
  | { readonly kind: 'app'; readonly app: App }
  /** A JWT that GitHub does not take, in its words. */
  | { readonly kind: 'unusable'; readonly message: string };

export interface Apps {
  /** Undefined when the header holds no JWT. */
  identify(authorization: string | undefined): IdentifiedApp | undefined;
  /** Throws for a slug that is not known. */
  app(slug: string): App;
  /** The owner of an installation suspends it: its tokens end, and it gets no others. */
  suspend(slug: string, installation: number): void;
}

const TOKEN_LIFE_MS = 3_600_000;
const LONGEST_JWT_SECONDS = 600;

export function createApps(options: Readonly<Record<string, AppOptions>>, tokens: Tokens, nowMs: () => number): Apps {
  const known = Object.entries(options).map(([slug, app]) => ({
    app: createApp(slug, app, tokens, nowMs),
    key: createPublicKey(app.publicKey),
  }));
  const find = (slug: string): App => {
    const found = known.find(({ app }) => app.slug === slug);
    if (found === undefined) throw new Error(`no App ${slug}`);
    return found.app;
  };
  return {
    identify(authorization) {
      const jwt = readJwt(secretIn(authorization ?? ''));
      if (jwt === undefined) return undefined;
      const { iss } = jwt.claims;
      const issuer = known.find(({ app }) => String(app.appId) === String(iss) || app.clientId === iss);
      if (issuer === undefined) return unusable("'Issuer' claim ('iss') must be an Integer");
      if (!isSigned(jwt, issuer.key)) return unusable('A JSON web token could not be decoded');
      const problem = problemOf(jwt.claims, nowMs() / 1000);
      return problem === undefined ? { kind: 'app', app: issuer.app } : unusable(problem);
    },
    app: find,
    suspend(slug, id) {
      const installation = find(slug).installations.get(id);
      if (installation === undefined) throw new Error(`no installation ${id} of ${slug}`);
      installation.suspendedAtMs = nowMs();
      tokens.remove(installation.tokenId);
    },
  };
}

function createApp(slug: string, options: AppOptions, tokens: Tokens, nowMs: () => number): App {
  const installations = Object.entries(options.installations).map(([id, installation]): [number, Installation] => [
    Number(id),
    {
      id: Number(id),
      tokenId: `${slug}/${id}`,
      account: installation.account ?? 'org',
      repositories: installation.repositories,
      issues: installation.issues ?? 'write',
      webhooks: installation.webhooks ?? 'none',
      suspendedAtMs: undefined,
    },
  ]);
  return {
    appId: options.appId,
    slug,
    clientId: `Iv1.${options.appId}`,
    installations: new Map(installations),
    mint({ tokenId, repositories, issues, webhooks }) {
      const part = (bytes: number): string => randomBytes(bytes).toString('base64url');
      const token = `ghs_${options.appId}_${part(27)}.${part(120)}.${part(256)}`;
      // To the second, as it is told.
      const expiresAtMs = Math.floor((nowMs() + TOKEN_LIFE_MS) / 1000) * 1000;
      tokens.add(tokenId, {
        token,
        login: `${slug}[bot]`,
        canPush: issues === 'write',
        issues,
        webhooks,
        isInstallation: true,
        expiresAtMs,
        ...(repositories !== undefined && { repositories }),
      });
      return { token, expiresAtMs };
    },
  };
}

interface Jwt {
  readonly signed: string;
  readonly signature: Buffer;
  readonly algorithm: unknown;
  readonly claims: { readonly iss?: unknown; readonly iat?: unknown; readonly exp?: unknown };
}

function readJwt(text: string): Jwt | undefined {
  const [header = '', payload = '', signature = '', ...rest] = text.split('.');
  // Tokens of installations hold dots too, but do not begin with a JSON object.
  if (rest.length > 0 || signature === '' || !header.startsWith('eyJ')) return undefined;
  const parse = (part: string) => JSON.parse(Buffer.from(part, 'base64url').toString()) as Record<string, unknown>;
  try {
    return {
      signed: `${header}.${payload}`,
      signature: Buffer.from(signature, 'base64url'),
      algorithm: parse(header).alg,
      claims: parse(payload),
    };
  } catch {
    return undefined; // Three parts with dots between them, but no JWT: a wrong token like any other.
  }
}

function isSigned({ algorithm, signed, signature }: Jwt, key: KeyObject): boolean {
  return algorithm === 'RS256' && verify('sha256', Buffer.from(signed), key, signature);
}

/** What GitHub says of the times in a JWT; undefined when they are right. */
function problemOf({ iat, exp }: Jwt['claims'], nowSeconds: number): string | undefined {
  if (typeof iat !== 'number' || iat > nowSeconds) {
    return "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued";
  }
  if (typeof exp !== 'number' || exp <= nowSeconds) {
    return "'Expiration time' claim ('exp') must be a numeric value representing the future time at which the assertion expires";
  }
  return exp > nowSeconds + LONGEST_JWT_SECONDS
    ? "'Expiration time' claim ('exp') is too far in the future"
    : undefined;
}

const unusable = (message: string): IdentifiedApp => ({ kind: 'unusable', message });

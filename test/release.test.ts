/** One version, one license: every file that names them says the same as package.json. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const read = (file: string): string => readFileSync(path.join(ROOT, file), 'utf8');
const manifest = JSON.parse(read('package.json')) as { version: string; license: string; private: boolean };

// The chart, the builder of the image and the command line are compared with it where they are tested.
test('the lockfile, the changelog, the security policy and the page on Kubernetes know the version', () => {
  const { version, packages } = JSON.parse(read('package-lock.json')) as {
    version: string;
    packages: Readonly<Record<string, { version?: string }>>;
  };
  expect([version, packages['']?.version]).toEqual([manifest.version, manifest.version]);
  const headings = [...read('CHANGELOG.md').matchAll(/^## (.+)$/gm)].map(([, heading]) => heading);
  expect(headings.slice(0, 2)).toEqual(['Unreleased', manifest.version]);
  expect(read('SECURITY.md')).toContain(`| ${manifest.version.replace(/\.\d+$/, '.x')} | yes |`);
  const tags = [...read('docs/kubernetes.md').matchAll(/agent-smith:(\d[\w.]*\d)/g)].map(([, tag]) => tag);
  expect(new Set(tags)).toEqual(new Set([manifest.version]));
});

test('nobody is given rights that the package does not give', () => {
  expect(manifest).toMatchObject({ license: 'UNLICENSED', private: true });
  expect(read('LICENSE')).toContain('All rights reserved.');
  expect(read('LICENSE')).toContain('"license": "UNLICENSED"');
});

test('the release is made by what there is', () => {
  const [, text = ''] = read('CONTRIBUTING.md').split('\n## A release\n');
  expect(text).toContain('node scripts/build-image.mjs docker');
  expect(read('Dockerfile')).toMatch(/^FROM scratch AS sbom$/m);
  expect(text).toContain('docker build --target sbom');
});

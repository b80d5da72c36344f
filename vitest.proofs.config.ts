/**
 * The longer proofs, `npm run proofs`: deployments of real processes that are killed, cut off, replaced and left without Redis.
 * What they play takes seconds of each core, which the tests that run after every change do not have.
 */
import { defineConfig } from 'vitest/config';
import tests from './vitest.config.ts';

export default defineConfig({ test: { ...tests.test, include: ['test/proofs/**/*.test.ts'], exclude: [] } });

/**
 * Whose clean-up it is. A test that runs beside others of its file (`test.concurrent`) has to say itself that it is meant:
 * vitest knows one current test only.
 */
import { onTestFinished, type TestContext } from 'vitest';

/** The context of a test is one. */
export type Scope = Pick<TestContext, 'onTestFinished'>;

/** The test that runs alone. */
export const thisTest: Scope = { onTestFinished };

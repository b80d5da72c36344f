/** The alerts as the file has them, checked as far as their shape goes. */
import { parse } from 'yaml';
import { z } from 'zod';
import { pageText } from './pages.ts';

export const ALERTS_FILE = 'helm/agentsmith/files/alerts.yaml';

const alertRule = z.strictObject({
  alert: z.string().regex(/^AgentSmith[A-Z]\w+$/),
  expr: z.string().min(1),
  for: z.string(),
  labels: z.strictObject({ severity: z.enum(['critical', 'warning']) }),
  annotations: z.strictObject({
    summary: z.string().min(10).max(100),
    description: z.string().min(10),
    runbook_url: z.string(),
  }),
});
const ruleFile = z.strictObject({
  groups: z.array(z.strictObject({ name: z.string().regex(/^[a-z-]+$/), rules: z.array(alertRule).min(1) })),
});

export type AlertRule = z.infer<typeof alertRule>;

/** In the order of the file. Throws for a file that Prometheus would not take. */
export function readAlerts(): readonly AlertRule[] {
  return ruleFile.parse(parse(pageText(ALERTS_FILE))).groups.flatMap(({ rules }) => rules);
}

/** The one comment of a run: there once, whatever happened to the answers, and nobody else can speak for it. */
import { expect, test } from 'vitest';
import { commentMarker } from '../../../src/platforms/comment-marker.ts';
import { callOf, failure } from './calls.ts';
import type { At } from './stages.ts';

/** More comments than any platform shows on one page. */
const LONG_THREAD = 210;

let runs = 0;
const freshMarker = (): string => commentMarker(`01J${(runs += 1)}`);

export function comments(at: At): void {
  const bodies = (ticket: string) =>
    at()
      .project.ticket(ticket)
      .comments.map(({ body }) => body);
  const post = (id: string, marker: string, markdown = 'Pipeline `fix-bug` is **done**.', sinceMs?: number) =>
    at().platform.comment(id, { markdown, marker, ...(sinceMs === undefined ? {} : { sinceMs }) }, callOf());

  test('is posted once, although it is posted twice', async () => {
    const { id, ticket } = at().project.openTicket();
    const marker = freshMarker();
    await post(id, marker);
    await post(id, marker);
    expect(bodies(ticket)).toEqual([expect.stringContaining('fix-bug')]);
  });

  test('is found again behind a long thread when the answer to its post was lost', async () => {
    const { project, server, secret } = at();
    const { id, ticket } = project.openTicket();
    for (let n = 0; n < LONG_THREAD; n += 1) project.comment(ticket, `remark ${n}`);
    const marker = freshMarker();
    const lost = server.faults.inject({ method: 'POST', times: 1 }, { kind: 'apply-then-cut' });
    const error = await failure(post(id, marker), secret);
    expect(error).toMatchObject({ kind: 'unavailable', effect: 'unknown' });
    expect(lost.hits).toBe(1);
    expect(bodies(ticket)).toHaveLength(LONG_THREAD + 1);
    await post(id, marker);
    await post(id, marker, 'Done.', Date.now() - 60_000);
    expect(bodies(ticket)).toHaveLength(LONG_THREAD + 1);
  });

  test('another run, or a person who quotes a marker, does not keep it away', async () => {
    const { project } = at();
    const { id, ticket } = project.openTicket();
    const [one, two] = [freshMarker(), freshMarker()];
    project.comment(ticket, `it said ${two} and stopped`);
    await post(id, one);
    await post(id, two);
    expect(bodies(ticket)).toHaveLength(3);
  });

  test('hostile text in a fence stays text, and its marker is nobody’s', async () => {
    const { id, ticket } = at().project.openTicket();
    const [mine, forged] = [freshMarker(), freshMarker()];
    const hostile = `{code} @everyone [~admin] </code></pre><img src=x> ${forged}`;
    await post(id, mine, `It said:\n\n\`\`\`\`text\n${hostile}\n\`\`\`\``);
    expect(bodies(ticket)).toEqual([expect.stringContaining('@everyone')]);
    await post(id, mine);
    expect(bodies(ticket)).toHaveLength(1);
    await post(id, forged);
    expect(bodies(ticket)).toHaveLength(2);
  });

  test('on a ticket that is gone it is refused, and that is certain', async () => {
    const { project, secret } = at();
    const { id, ticket } = project.openTicket();
    project.deleteTicket(ticket);
    expect(await failure(post(id, freshMarker()), secret)).toMatchObject({ kind: 'not-found', effect: 'none' });
  });
}

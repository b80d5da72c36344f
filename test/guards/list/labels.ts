/** Guards of the label table and of label writes (PROTOCOL 5): the label is a picture of the record, and no more. */
import type { Guard } from '../guard.ts';

const TABLE = 'domain/label-table.ts';
const LABEL_WRITER = 'labels/label-writer.ts';

export const LABEL_GUARDS: readonly Guard[] = [
  {
    name: 'table:none-pending',
    keeps: 'no record, none or pending: the ordinary rules of a claim, not an adoption',
    swap: {
      file: TABLE,
      find: "      return { kind: 'claim', trigger: 'poll' };\n    case 'enqueued'",
      put: "    case 'enqueued'",
    },
    killedBy: ['domain/label-table'],
  },
  {
    name: 'table:orphan-enqueued',
    keeps: 'no record, enqueued: adopted',
    swap: {
      file: TABLE,
      find: "return { kind: 'claim', trigger: 'reconcile' };",
      put: "return { kind: 'claim', trigger: 'poll' };",
    },
    killedBy: ['domain/label-table'],
  },
  {
    name: 'table:orphan-in-progress',
    keeps: 'no record, in-progress: back to pending',
    swap: {
      file: TABLE,
      find: "return { kind: 'write', lifecycle: 'pending' };",
      put: "return { kind: 'leave', why: '' };",
    },
    killedBy: ['domain/label-table'],
  },
  {
    name: 'table:ended-without-record',
    keeps: 'no record, done or failed: nothing is run again',
    swap: {
      file: TABLE,
      find: "? { kind: 'leave', why: 'ended, and no record says otherwise' }",
      put: "? { kind: 'claim', trigger: 'poll' }",
    },
    killedBy: ['domain/label-table'],
  },
  {
    name: 'table:surplus',
    keeps: 'no record, done or failed beside another: only the surplus is removed',
    swap: { file: TABLE, find: 'return found.length === 1\n', put: 'return found.length > 0\n' },
    killedBy: ['domain/label-table'],
  },
  {
    name: 'table:claim-at-work',
    keeps: 'received, lock held: nobody touches it',
    swap: {
      file: TABLE,
      find: "return locked ? { kind: 'leave', why: 'a claim is at work' } : { kind: 'take-over' };",
      put: "return { kind: 'take-over' };",
    },
    killedBy: ['domain/label-table'],
  },
  {
    name: 'table:dead-claim',
    keeps: 'received, lock gone: taken over',
    swap: {
      file: TABLE,
      find: "return locked ? { kind: 'leave', why: 'a claim is at work' } : { kind: 'take-over' };",
      put: "return { kind: 'leave', why: 'a claim is at work' };",
    },
    killedBy: ['domain/label-table'],
  },
  {
    name: 'table:only-label',
    keeps: 'a label agrees with the record when it is the only lifecycle label',
    swap: {
      file: TABLE,
      find: 'const agrees = found.length === 1 && found[0] === projection;',
      put: 'const agrees = found.includes(projection);',
    },
    killedBy: ['domain/label-table'],
  },
  {
    name: 'table:live-projection',
    keeps: 'queued, running: anything but the projection is written again',
    swap: { file: TABLE, find: "    if (!agrees) return { kind: 'write', lifecycle: projection };\n", put: '' },
    killedBy: ['domain/label-table'],
  },
  {
    name: 'table:live-confirmed',
    keeps: 'queued, running, confirmed: left alone while it agrees',
    swap: {
      file: TABLE,
      find: "return run.labelState === 'confirmed' ? { kind: 'leave', why: 'label agrees' } : { kind: 'confirm' };",
      put: "return { kind: 'leave', why: 'label agrees' };",
    },
    killedBy: ['domain/label-table'],
  },
  {
    name: 'table:live-or-ended',
    keeps: 'a live run is never taken for one that has ended',
    swap: { file: TABLE, find: '  if (!isTerminal(run.state)) {\n', put: '  if (run.state === projection) {\n' },
    killedBy: ['domain/label-table'],
  },
  {
    name: 'table:unconfirmed',
    keeps: 'ended, unconfirmed: written until it is read back, and no claim gets in between',
    swap: { file: TABLE, find: "if (run.labelState === 'unconfirmed') {", put: 'if (false) {' },
    killedBy: ['domain/label-table'],
  },
  {
    name: 'table:confirmed-agrees',
    keeps: 'ended, confirmed: left alone while it agrees',
    swap: {
      file: TABLE,
      find: "  if (agrees) return { kind: 'leave', why: 'label agrees' };\n  if (found",
      put: '  if (found',
    },
    killedBy: ['domain/label-table'],
  },
  {
    name: 'table:overwritten',
    keeps: 'ended, confirmed, then enqueued or in-progress: not a wish for another run',
    swap: {
      file: TABLE,
      find: "if (found.includes('enqueued') || found.includes('in-progress')) {",
      put: 'if (false) {',
    },
    killedBy: ['domain/label-table'],
  },
  {
    name: 'table:most-doubts',
    keeps: 'ended, confirmed, overwritten again and again: a finding, and no endless fight',
    swap: {
      file: TABLE,
      find: "return run.labelDoubts >= MOST_DOUBTS ? { kind: 'give-up' } : { kind: 'doubt' };",
      put: "return { kind: 'doubt' };",
    },
    killedBy: ['domain/label-table'],
  },
  {
    name: 'table:asks-again',
    keeps: 'ended, confirmed, then none, pending, or pending beside the projection: a person asks again',
    swap: { file: TABLE, find: "if (asksAgain) return { kind: 'claim', trigger: 'poll' };", put: '' },
    killedBy: ['domain/label-table'],
  },
  {
    name: 'table:verdict',
    keeps: "ended, confirmed, then the other terminal label: a person's verdict, left alone",
    swap: {
      file: TABLE,
      find: "const asksAgain = found.every((l) => l === 'pending' || l === projection);",
      put: 'const asksAgain = true;',
    },
    killedBy: ['domain/label-table'],
  },
  {
    name: 'projection:cancelled',
    keeps: 'a run that was cancelled shows failed',
    swap: {
      file: 'domain/run.ts',
      find: "    case 'failed':\n    case 'cancelled':\n      return 'failed';",
      put: "    case 'cancelled':\n      return undefined;\n    case 'failed':\n      return 'failed';",
    },
    killedBy: ['domain/label-table'],
  },
  {
    name: 'lifecycle:ours-only',
    keeps: 'a label that only begins like ours belongs to people',
    swap: {
      file: 'domain/lifecycle.ts',
      find: 'return BY_LABEL.get(label.toLowerCase());',
      put: "return BY_LABEL.get(label.toLowerCase()) ?? (isOurs(label) ? 'pending' : undefined);",
    },
    killedBy: ['domain/keys-and-routing'],
  },
  {
    name: 'lifecycle:never-a-trigger',
    keeps: 'a label of ours is never what asks for a run',
    swap: {
      file: 'domain/pipeline-resolver.ts',
      find: 'const own = labels.filter((label) => !isOurs(label));',
      put: 'const own = labels;',
    },
    killedBy: ['domain/keys-and-routing'],
  },
  {
    name: 'github:people',
    keeps: "GitHub: people's labels stay",
    swap: {
      file: 'platforms/github/labels.ts',
      find: 'if (lifecycle === undefined || lifecycle === to) return false;',
      put: 'if (lifecycle === to) return false;',
    },
    killedBy: ['platforms/github/labels'],
  },
  {
    name: 'github:later-verdict',
    keeps: 'GitHub: a verdict that came after the decision stays',
    swap: {
      file: 'platforms/github/labels.ts',
      find: 'return !isVerdict || hasLabel(decidedOn.labels, label);',
      put: 'return true;',
    },
    killedBy: ['platforms/github/labels'],
  },
  {
    name: 'gitlab:people',
    keeps: "GitLab: people's labels stay",
    swap: {
      file: 'platforms/gitlab/labels.ts',
      find: 'labels.filter((label) => lifecycleOf(label) !== undefined && label !== target);',
      put: 'labels.filter((label) => label !== target);',
    },
    killedBy: ['platforms/gitlab/labels'],
  },
  {
    name: 'azuredevops:people',
    keeps: "Azure DevOps: people's tags stay",
    swap: {
      file: 'platforms/azuredevops/labels.ts',
      find: 'lifecycleOf(tag) === undefined || hasLabel(target, tag)',
      put: 'hasLabel(target, tag)',
    },
    killedBy: ['platforms/azuredevops/labels'],
  },
  {
    name: 'azuredevops:same-revision',
    keeps: 'Azure DevOps: a tag that a person sets between our read and our write stays',
    swap: {
      file: 'platforms/azuredevops/labels.ts',
      find: "    { op: 'test', path: '/rev', value: item.rev },\n",
      put: '',
    },
    killedBy: ['platforms/azuredevops/labels'],
  },
  {
    name: 'jira:people',
    keeps: "Jira: people's labels stay",
    swap: {
      file: 'platforms/jira/labels.ts',
      find: 'lifecycleOf(label) !== undefined && label !== target;',
      put: 'label !== target;',
    },
    killedBy: ['platforms/jira/labels'],
  },
  {
    name: 'github:comment-once',
    keeps: 'GitHub: one closing comment, also after an answer that was lost',
    swap: {
      file: 'platforms/github/thread.ts',
      find: "if (page.some(({ body }) => endsWithMarker(body ?? '', marker))) return;",
      put: '',
    },
    killedBy: ['labels/label-writer'],
  },
  {
    name: 'gitlab:comment-once',
    keeps: 'GitLab: one closing comment, also after an answer that was lost',
    swap: {
      file: 'platforms/gitlab/thread.ts',
      find: 'if (page.some(({ body }) => endsWithMarker(body, marker))) return;',
      put: '',
    },
    killedBy: ['platforms/conformance'],
  },
  {
    name: 'azuredevops:comment-once',
    keeps: 'Azure DevOps: one closing comment, also after an answer that was lost',
    swap: {
      file: 'platforms/azuredevops/thread.ts',
      find: "if (htmlEndsWithMarker(text ?? '', marker)) return;",
      put: '',
    },
    killedBy: ['platforms/conformance'],
  },
  {
    name: 'jira:comment-once',
    keeps: 'Jira: one closing comment, also after an answer that was lost',
    swap: {
      file: 'platforms/jira/thread.ts',
      find: 'if (await isPosted(jira, id, marker, client.isCloud ? sinceMs : 0)) return;',
      put: '',
    },
    killedBy: ['platforms/conformance'],
  },
  {
    name: 'writer:current-run',
    keeps: 'only the current run of a ticket has a label',
    swap: {
      file: LABEL_WRITER,
      find: 'if (run === undefined || !(await deps.runs.isCurrent(run))) {',
      put: 'if (run === undefined) {',
    },
    killedBy: ['labels/label-writer'],
  },
  {
    name: 'writer:read-back',
    keeps: 'a label counts as written when the platform shows it as the only one',
    swap: {
      file: LABEL_WRITER,
      find: "        if (String(shown) !== action.lifecycle) return { kind: 'refused', reason: 'the label did not stick' };\n",
      put: '',
    },
    killedBy: ['labels/late-settlements'],
  },
  {
    name: 'writer:permission',
    keeps: 'who has lost trust writes no label',
    swap: {
      file: LABEL_WRITER,
      find: '        if (!permission.mayWrite()) return undefined;\n        const shown',
      put: '        const shown',
    },
    killedBy: ['labels/label-writer'],
  },
  {
    name: 'writer:stale-record',
    keeps: 'after a long pause no label is written that was right before it',
    swap: { file: LABEL_WRITER, find: 'permission.mayWrite() && fresh()', put: 'permission.mayWrite()' },
    killedBy: ['labels/late-settlements'],
  },
  {
    name: 'writer:permission-to-comment',
    keeps: 'who has lost trust writes no comment',
    swap: {
      file: LABEL_WRITER,
      find: '    if (!permission.mayWrite()) return undefined;\n    try',
      put: '    try',
    },
    killedBy: ['labels/label-writer'],
  },
  {
    name: 'writer:confirmed-look',
    keeps: 'a look that fails does not make a confirmed label ours again: it may show a wish',
    swap: { file: LABEL_WRITER, find: '      if (settledBefore) return undefined;\n', put: '' },
    killedBy: ['labels/label-rows'],
  },
  {
    name: 'writer:unwritable',
    keeps: 'a ticket that is gone does not block its key for ever',
    swap: {
      file: LABEL_WRITER,
      find: "if (error.kind === 'not-found' && isTerminal(run.state)) {",
      put: 'if (false) {',
    },
    killedBy: ['labels/label-rows'],
  },
  {
    name: 'writer:live-run-kept',
    keeps: 'a live run whose ticket is hidden for a while keeps its label due',
    swap: {
      file: LABEL_WRITER,
      find: "if (error.kind === 'not-found' && isTerminal(run.state)) {",
      put: "if (error.kind === 'not-found') {",
    },
    killedBy: ['labels/late-settlements'],
  },
  {
    name: 'writer:newest-state',
    keeps: 'a run that moves on while its label is written gets the label of its newest state',
    swap: {
      file: LABEL_WRITER,
      find: "return settled.kind === 'moved-on' || settlement.kind === 'doubt';",
      put: "return settlement.kind === 'doubt';",
    },
    killedBy: ['labels/label-writer'],
  },
  {
    name: 'settle-label:label-state',
    keeps: 'a settlement of a state that has passed confirms nothing',
    killedBy: ['runs/label-records'],
  },
  {
    name: 'settle-label:same-entry',
    keeps: 'a settlement counts for the time that the run is in its state now, not for an earlier one',
    swap: {
      file: 'redis/scripts/settle-label.lua',
      find: 'if seen[1] ~= ARGV[2] or seen[2] ~= ARGV[3] then',
      put: 'if seen[1] ~= ARGV[2] then',
    },
    killedBy: ['labels/late-settlements'],
  },
  {
    name: 'settle-label:current-run',
    keeps: 'a late settlement of an earlier run has the label of the current one looked at again',
    swap: {
      file: 'redis/scripts/settle-label.lua',
      find: 'if current and current ~= ARGV[1] then',
      put: 'if false then',
    },
    killedBy: ['runs/label-records'],
  },
  {
    name: 'settle-label:claim-at-work',
    keeps: 'a late settlement leaves a claim that is at work alone',
    swap: {
      file: 'redis/scripts/settle-label.lua',
      find: "if state and state ~= 'received' then",
      put: 'if state then',
    },
    killedBy: ['runs/label-records'],
  },
  {
    name: 'settle-label:counted-once',
    keeps: 'two who see the same contradiction count it once',
    swap: {
      file: 'redis/scripts/settle-label.lua',
      find: "if what == 'doubt' and seen[5] ~= 'unconfirmed' then",
      put: "if what == 'doubt' then",
    },
    killedBy: ['runs/label-records'],
  },
  {
    name: 'settle-label:refused-for-long',
    keeps: 'an ended run whose label is refused for a day does not block its ticket for ever',
    swap: {
      file: 'redis/scripts/settle-label.lua',
      find: "if has_ended(seen[1]) and now - first >= tonumber(ARGV[9]) then what = 'unwritable' end",
      put: '',
    },
    killedBy: ['labels/label-rows'],
  },
  {
    name: 'settle-label:live-never-given-up',
    keeps: 'the label of a live run is never given up',
    swap: {
      file: 'redis/scripts/settle-label.lua',
      find: 'if has_ended(seen[1]) and now - first >= tonumber(ARGV[9]) then',
      put: 'if now - first >= tonumber(ARGV[9]) then',
    },
    killedBy: ['labels/label-rows'],
  },
  {
    name: 'forget-label:ticket-run',
    keeps: 'a label that is due is not forgotten while its run is the one of its ticket',
    killedBy: ['runs/label-records'],
  },
];

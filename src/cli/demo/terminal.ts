/**
 * Where the demo is seen: a picture that is redrawn in place on a terminal, or plain lines anywhere else. It borrows
 * the terminal's second screen and gives everything back, however the process ends.
 */
import { styleText } from 'node:util';
import { createLogUpdate } from 'log-update';
import type { Environment } from '../../config/expand.ts';
import type { Paint } from './cells.ts';
import type { NewsLine } from './news.ts';
import { plainNews, renderScene, type Scene } from './screen.ts';

export interface DemoTerminal {
  /** Whether a person sits in front of it and can press keys. */
  readonly keys: boolean;
  draw(scene: Scene): void;
  /** For output without a picture: prints at once. On a picture the scene holds the news. */
  announce(line: NewsLine): void;
  /** Leaves the terminal as it was, the last picture printed above the prompt. Safe to call twice. */
  close(last?: Scene): void;
}

const SECOND_SCREEN = '\u001b[?1049h\u001b[H';
const FIRST_SCREEN = '\u001b[?1049l';
const CLEAR = '\u001b[2J\u001b[H';

export function openTerminal(env: Environment, onKey: (key: string) => void): DemoTerminal {
  return process.stdout.isTTY && env.TERM !== 'dumb' ? openScreen(onKey) : openLines();
}

function openLines(): DemoTerminal {
  return {
    keys: false,
    draw: () => {},
    announce: (line) => console.log(plainNews(line)),
    close: () => {},
  };
}

function openScreen(onKey: (key: string) => void): DemoTerminal {
  const { stdin, stdout } = process;
  const keys = stdin.isTTY;
  const update = createLogUpdate(stdout);
  const paint: Paint = (styles, text) => styleText([...styles], text, { stream: stdout });
  const size = () => ({ columns: stdout.columns || 80, rows: stdout.rows || 24 });
  let latest: Scene | undefined;
  let open = true;

  const show = (scene: Scene): void => update(renderScene(scene, size(), paint).join('\n'));
  /** What the terminal has wrapped anew cannot be patched: begin with an empty screen. */
  const onResize = (): void => {
    update.done();
    stdout.write(CLEAR);
    if (latest !== undefined) show(latest);
  };
  const onKeys = (text: string): void => {
    for (const key of text) onKey(key);
  };
  const giveBack = (): void => {
    if (!open) return;
    open = false;
    stdout.off('resize', onResize);
    if (keys) {
      stdin.off('data', onKeys);
      stdin.setRawMode(false);
      stdin.pause();
    }
    update.done();
    stdout.write(FIRST_SCREEN);
  };

  stdout.write(SECOND_SCREEN);
  stdout.on('resize', onResize);
  // A second Ctrl-C ends the process at once, and so does an error that nobody caught.
  process.once('exit', giveBack);
  if (keys) {
    stdin.setRawMode(true);
    stdin.setEncoding('utf8');
    stdin.on('data', onKeys);
    stdin.resume();
  }

  return {
    keys,
    draw(scene) {
      latest = scene;
      if (open) show(scene);
    },
    announce: () => {},
    close(last) {
      if (!open) return;
      process.off('exit', giveBack);
      giveBack();
      if (last !== undefined) console.log(renderScene({ ...last, keys: false }, size(), paint).join('\n'));
    },
  };
}

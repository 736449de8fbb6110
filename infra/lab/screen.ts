// Shows the lab to a person: one live screen on a terminal, one line per change elsewhere.
import { styleText } from 'node:util';
import { createLogUpdate } from 'log-update';
import type { Lab } from './lab.ts';
import { type Paint, render } from './view.ts';

const REDRAW_MS = 250;
/** Narrower terminals get lines. */
const COLUMNS_MIN = 80;

const COLOURS: Paint = {
  good: (text) => styleText('green', text),
  bad: (text) => styleText('red', text),
  warn: (text) => styleText('yellow', text),
  dim: (text) => styleText('dim', text),
  strong: (text) => styleText('bold', text),
};

export interface Screen {
  /** A change worth a line. */
  say(text: string): void;
  /** From now on the lab itself is shown, where that is possible. */
  show(lab: Lab): void;
  close(): void;
}

/** `plain` forces lines: a demo is read from top to bottom. */
export function openScreen(output: NodeJS.WriteStream, plain: boolean): Screen {
  const isLive = !plain && output.isTTY === true && output.columns >= COLUMNS_MIN && process.env.TERM !== 'dumb';
  return isLive ? openLiveScreen(output) : openLines(output);
}

function openLines(output: NodeJS.WriteStream): Screen {
  return {
    say: (text) => output.write(`${new Date().toISOString().slice(11, 23)} ${text}\n`),
    show: () => undefined,
    close: () => undefined,
  };
}

function openLiveScreen(output: NodeJS.WriteStream): Screen {
  const update = createLogUpdate(output);
  const isPlain = process.env.NO_COLOR !== undefined;
  let timer: NodeJS.Timeout | undefined;
  let isShown = false;
  return {
    say: (text) => {
      if (!isShown) output.write(`${text}\n`);
    },
    show: (lab) => {
      isShown = true;
      timer = setInterval(() => {
        const decisions = lab.auditRecords().filter((record) => record.Kind === 'decision');
        const lines = render({
          world: lab.world(),
          status: lab.status(),
          failure: lab.statusFailure(),
          decisions,
          columns: output.columns,
          rows: output.rows,
          ...(isPlain ? {} : { paint: COLOURS }),
        });
        update(lines.join('\n'));
      }, REDRAW_MS);
    },
    close: () => {
      clearInterval(timer);
      if (isShown) update.done();
      isShown = false;
    },
  };
}

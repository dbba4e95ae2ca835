/** The commands of the panel. Keys, menus and the palette call them too. */

import { InputDialog } from '@jupyterlab/apputils';
import type { CommandRegistry } from '@lumino/commands';
import * as tags from '../panel/declaration';
import type { CellText, Role } from '../panel/outline';
import { absorbed, moved } from '../panel/outline';
import { allFixes } from './fixes';
import { ids } from './ids';
import { texts } from './notebook';
import { debugStep } from './runs/debug';
import { executedPath } from './runs/executed-notebooks';
import { askForRun } from './runs/run-form';
import { resume, start, stop } from './runs/run-actions';
import type { Open, Session } from './session';
import { above, nameFor, nextStep, stepOf } from './step-names';

interface Arguments {
  readonly cells?: unknown;
  readonly step?: unknown;
  readonly name?: unknown;
  readonly by?: unknown;
  readonly run?: unknown;
}

/** Adds the commands; returns their ids with their labels. */
export function addCommands(
  commands: CommandRegistry,
  session: Session
): [string, string][] {
  const { trans } = session;
  const added: [string, string][] = [];
  const add = (
    id: string,
    label: string,
    execute: (open: Open, given: Arguments) => unknown,
    enabled: (open: Open) => boolean = () => true
  ): void => {
    added.push([id, label]);
    commands.addCommand(id, {
      label,
      describedBy: { args: ARGUMENTS },
      isEnabled: () => session.current !== null && enabled(session.current),
      execute: given => {
        const open = session.current;
        return open ? execute(open, given) : undefined;
      }
    });
  };
  const tag = (id: string, label: string, role: Role): void =>
    add(id, label, open =>
      session.edit(open, tags.toRole(selected(open), role))
    );

  add(ids.run, trans.__('Run the Pipeline'), open => start(session, open));
  add(ids.runWith, trans.__('Run the Pipeline with…'), async open => {
    const settings = await askForRun(session, open);
    return settings && start(session, open, settings);
  });
  add(ids.runFrom, trans.__('Run from This Step'), (open, given) => {
    const step = stepOf(open, given.step);
    return step && start(session, open, { from: step });
  });
  add(ids.runOnly, trans.__('Run Only This Step'), (open, given) => {
    const step = stepOf(open, given.step);
    return step && start(session, open, { only: step });
  });
  add(
    ids.stop,
    trans.__('Stop the Run'),
    open => stop(session, open),
    ({ book }) => book.running
  );
  add(
    ids.resume,
    trans.__('Resume the Run with Its Old Code'),
    open => resume(session, open),
    ({ book }) => book.run !== null && !book.running
  );
  add(
    ids.debug,
    trans.__('Debug the Failed Step'),
    (open, given) => {
      const step = typeof given.step === 'string' ? given.step : failed(open);
      return step && debugStep(session, commands, open, step);
    },
    open => failed(open) !== null
  );
  add(
    ids.executed,
    trans.__('Open the Executed Notebook of the Step'),
    (open, given) => {
      const step = stepOf(open, given.step);
      const run = open.book.run?.id;
      return step && run
        ? commands.execute('docmanager:open', {
            path: executedPath(run, step),
            kernelPreference: { shouldStart: false, autoStartDefault: false }
          })
        : undefined;
    },
    ({ book }) => book.run !== null
  );
  add(ids.show, trans.__('Show a Run'), (open, { run }) =>
    open.book.follow(typeof run === 'string' ? run : null)
  );
  add(ids.suggest, trans.__('Suggest Steps'), ({ book }) => book.suggest());
  add(ids.accept, trans.__('Accept the Suggested Steps'), open => {
    const { proposal, cells } = open.book;
    open.book.proposal = null;
    if (proposal) {
      session.edit(open, tags.accepted(cells, proposal));
    }
  });
  add(ids.dismiss, trans.__('Dismiss the Suggested Steps'), ({ book }) => {
    book.proposal = null;
    book.changed();
  });
  add(
    ids.step,
    trans.__('Make a Step of the Selected Cells…'),
    async (open, given) => {
      const cells = selected(open);
      const name = await askForName(session, open, cells, given);
      if (name) {
        session.edit(open, tags.toStep(cells, name));
      }
    }
  );
  add(ids.above, trans.__('Add the Selected Cells to the Step Above'), open => {
    const cells = selected(open);
    const name = above(open, cells[0]);
    if (name) {
      session.edit(open, tags.toStep(cells, name));
    }
  });
  tag(ids.setup, trans.__('Tag as Setup'), 'setup');
  tag(ids.parameters, trans.__('Tag as Parameters'), 'parameters');
  tag(ids.metrics, trans.__('Tag as Metrics'), 'metrics');
  tag(ids.skip, trans.__('Tag as Skipped'), 'skip');
  add(
    ids.clear,
    trans.__('Clear the Tags of the Selected Cells'),
    (open, { cells }) => {
      const given = Array.isArray(cells) ? texts(open.book.cells, cells) : null;
      session.edit(open, tags.clear(given ?? selected(open)));
    }
  );
  add(ids.rename, trans.__('Rename the Step…'), async (open, given) => {
    const from = stepOf(open, given.step);
    if (!from) {
      return;
    }
    const { value } = await InputDialog.getText({
      title: trans.__('Rename the step'),
      label: trans.__('Every cell of it and every dependency on it changes.'),
      text: from
    });
    const to = value?.trim();
    if (!to || to === from) {
      return;
    }
    const { book } = open;
    if (book.proposal) {
      const steps = book.proposal.steps.map(step =>
        step.name === from ? { ...step, name: to } : step
      );
      book.proposal = { ...book.proposal, steps };
      book.changed();
      return;
    }
    session.edit(open, tags.rename(book.cells, from, to));
  });
  const boundary = (open: Open, step: string | null, by: 1 | -1): void => {
    const { book } = open;
    if (book.proposal) {
      const at = book.proposal.steps.findIndex(one => one.name === step);
      book.proposal = moved(book.proposal, at, by) ?? book.proposal;
      book.changed();
      return;
    }
    const own = book.outline.steps.find(one => one.name === step)?.cells ?? [];
    const code = book.cells.filter(cell => cell.type === 'code');
    const last = code.findIndex(cell => cell.id === own.at(-1));
    const cell = by > 0 ? code[last + 1] : code[last];
    const next = by > 0 ? step : nextStep(open, step);
    if (cell && next && (by > 0 || own.length > 1)) {
      session.edit(open, tags.toStep([cell], next));
    }
  };
  add(ids.boundary, trans.__('Move the Boundary of a Step'), (open, given) =>
    boundary(open, stepOf(open, given.step), given.by === -1 ? -1 : 1)
  );
  add(ids.grow, trans.__('Extend the Step by a Cell'), open =>
    boundary(open, stepOf(open, null), 1)
  );
  add(ids.shrink, trans.__('Shorten the Step by a Cell'), open =>
    boundary(open, stepOf(open, null), -1)
  );
  add(ids.absorb, trans.__('Add Cells to a Step'), (open, { step, cells }) => {
    const { book } = open;
    if (typeof step !== 'string' || !Array.isArray(cells)) {
      return;
    }
    const given = cells.map(String);
    if (book.proposal) {
      book.proposal = absorbed(book.proposal, given, step) ?? book.proposal;
      book.changed();
      return;
    }
    session.edit(open, tags.toStep(texts(book.cells, given), step));
  });
  add(ids.problem, trans.__('Go to the Next Problem'), ({ book, host }) => {
    const places = book.diagnostics
      .filter(one => one.severity !== 'hint')
      .map(one => one.location)
      .filter(one => one !== null);
    const at = places.findIndex(one => one.id === host.active);
    const next = places[(at + 1) % Math.max(1, places.length)];
    return next && host.goTo([next.id], next.line);
  });
  add(ids.fixAll, trans.__('Fix All Problems'), open =>
    session.edit(open, allFixes(open))
  );
  add(ids.kale, trans.__("Rewrite Kale's Tags as Tags of kfnb"), open =>
    session.edit(open, tags.fromKale(open.book.cells))
  );
  return added;
}

const ARGUMENTS = {
  type: 'object',
  properties: {
    step: { type: 'string', description: 'The name of a step.' },
    name: { type: 'string', description: 'A new name.' },
    run: { type: 'string', description: 'The id of a run.' },
    cells: {
      type: 'array',
      items: { type: 'string' },
      description: 'The ids of cells; otherwise the selected ones.'
    },
    by: { type: 'number', description: '1 for down, -1 for up.' }
  }
} as const;

function selected({ host, book }: Open): CellText[] {
  return texts(book.cells, host.selected());
}

/** The step that failed; null if none did. */
function failed({ book }: Open): string | null {
  const all = Object.values(book.state?.steps ?? {});
  return all.find(one => one.status === 'failed')?.step ?? null;
}

/** Asks for a name: first the heading above the cell, then the names that exist. */
async function askForName(
  { trans }: Session,
  { book }: Open,
  cells: readonly CellText[],
  given: Arguments
): Promise<string> {
  if (typeof given.name === 'string') {
    return given.name.trim();
  }
  const names = book.outline.steps.map(step => step.name);
  const heading = nameFor(book, cells);
  const { value } = await InputDialog.getItem({
    title: trans.__('Name of the step'),
    items: [...new Set([heading, ...names].filter(Boolean))],
    editable: true,
    current: 0
  });
  return value?.trim() ?? '';
}

/** The commands of the panel. Keys, menus and the palette call them too. */

import { InputDialog } from '@jupyterlab/apputils';
import type { CommandRegistry } from '@lumino/commands';
import * as tags from '../panel/declaration';
import type { CellText, Role } from '../panel/outline';
import { moved } from '../panel/outline';
import { allFixes } from './fixes';
import { ids } from './ids';
import { texts } from './notebook';
import { askForRun } from './run-form';
import { resume, start, stop } from './runs';
import type { Open, Session } from './session';

interface Arguments {
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
    const step = stepOf(open, given);
    return step && start(session, open, { from: step });
  });
  add(ids.runOnly, trans.__('Run Only This Step'), (open, given) => {
    const step = stepOf(open, given);
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
      const name = await nameFor(session, open, cells, given);
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
  add(ids.clear, trans.__('Clear the Tags of the Selected Cells'), open =>
    session.edit(open, tags.clear(selected(open)))
  );
  add(ids.rename, trans.__('Rename the Step…'), async (open, given) => {
    const from = stepOf(open, given);
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
    boundary(open, stepOf(open, given), given.by === -1 ? -1 : 1)
  );
  add(ids.grow, trans.__('Extend the Step by a Cell'), open =>
    boundary(open, stepOf(open, {}), 1)
  );
  add(ids.shrink, trans.__('Shorten the Step by a Cell'), open =>
    boundary(open, stepOf(open, {}), -1)
  );
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
    by: { type: 'number', description: '1 for down, -1 for up.' }
  }
} as const;

function selected({ host, book }: Open): CellText[] {
  return texts(book.cells, host.selected());
}

/** The step that is given, or that of the active cell. */
function stepOf({ host, book }: Open, given: Arguments): string | null {
  if (typeof given.step === 'string') {
    return given.step;
  }
  const steps = (book.proposal ?? book.outline).steps;
  const { active } = host;
  return steps.find(step => step.cells.includes(active ?? ''))?.name ?? null;
}

function nextStep({ book }: Open, step: string | null): string | null {
  const { steps } = book.outline;
  return steps[steps.findIndex(one => one.name === step) + 1]?.name ?? null;
}

/** The step of the nearest cell above. */
function above({ book }: Open, cell: CellText | undefined): string | null {
  const order = book.cells.map(one => one.id);
  for (let at = order.indexOf(cell?.id ?? '') - 1; at >= 0; at -= 1) {
    const id = order[at] ?? '';
    const step = book.outline.steps.find(one => one.cells.includes(id));
    if (step) {
      return step.name;
    }
  }
  return null;
}

/** Asks for a name: first the heading above the cell, then the names that exist. */
async function nameFor(
  { trans }: Session,
  { book }: Open,
  cells: readonly CellText[],
  given: Arguments
): Promise<string> {
  if (typeof given.name === 'string') {
    return given.name.trim();
  }
  const names = book.outline.steps.map(step => step.name);
  const heading = headingAbove(book.cells, cells[0]?.id ?? '');
  const { value } = await InputDialog.getItem({
    title: trans.__('Name of the step'),
    items: [...new Set([heading, ...names].filter(Boolean))],
    editable: true,
    current: 0
  });
  return value?.trim() ?? '';
}

function headingAbove(cells: readonly CellText[], id: string): string {
  const at = cells.findIndex(cell => cell.id === id);
  const before = cells[at - 1];
  const line =
    before?.type === 'markdown'
      ? /^#{1,6}\s+(.+?)\s*#*$/m.exec(before.source)?.[1]
      : undefined;
  return (line ?? '').replace(/^[\d.]+\s+/, '').toLowerCase();
}

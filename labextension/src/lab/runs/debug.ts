/** Debugging a failed step: a console on the notebook's kernel, with what the step was given. */

import { Dialog, showDialog } from '@jupyterlab/apputils';
import type { CommandRegistry } from '@lumino/commands';
import type { Open, Session } from '../session';

/** The part of JupyterLab's console that is used here. */
interface ConsolePanel {
  readonly sessionContext: { readonly ready: Promise<void> };
  readonly console: { inject(code: string): Promise<void> };
}

/** Loads the inputs and parameters of a step into the kernel of the notebook. */
export async function debugStep(
  { trans }: Session,
  commands: CommandRegistry,
  { host, book }: Open,
  step: string
): Promise<void> {
  const run = book.run?.id ?? '';
  const line = `%pipeline debug ${quoted(step)} --run ${run}`;
  const code = `%load_ext kfnb\n${line}`;
  const { sessionContext, content } = host.panel;
  const kernel = sessionContext.session?.kernel;
  if (!kernel || !commands.hasCommand('console:create')) {
    await showDialog({
      title: trans.__('Debug the step'),
      body: trans.__('Execute this in a cell of the notebook: %1', line),
      buttons: [Dialog.okButton()]
    });
    return;
  }
  const opened = (await commands.execute('console:create', {
    path: host.path,
    name: trans.__('Debug %1', step),
    activate: true,
    insertMode: 'split-bottom',
    ref: host.panel.id,
    kernelPreference: { id: kernel.id, language: content.codeMimetype }
  })) as ConsolePanel;
  // Before that the console has no kernel that could execute the code.
  await opened.sessionContext.ready;
  await opened.console.inject(code);
}

function quoted(name: string): string {
  return /^[^\s"'\\]+$/.test(name) ? name : JSON.stringify(name);
}

/** Where wide views are shown: beside the notebook, or in a dialog where there is no room. */

import type { JupyterFrontEnd } from '@jupyterlab/application';
import { Dialog, showDialog } from '@jupyterlab/apputils';
import type { Widget } from '@lumino/widgets';

export class MainArea {
  /**
   * @param splits - whether the shell shows widgets beside a notebook; Notebook 7 does not.
   */
  constructor(
    private readonly shell: JupyterFrontEnd.IShell,
    private readonly splits: boolean
  ) {}

  /** Shows the widget with an id, which is made if it is not there. */
  async show(
    id: string,
    make: () => Widget | Promise<Widget>,
    mode: 'split-right' | 'split-bottom'
  ): Promise<void> {
    if (!this.splits) {
      const body = await make();
      body.addClass('kfnb-in-dialog');
      await showDialog({
        title: body.title.label,
        body,
        buttons: [Dialog.okButton()]
      });
      return;
    }
    if (![...this.shell.widgets('main')].some(one => one.id === id)) {
      this.shell.add(await make(), 'main', { mode });
    }
    this.shell.activateById(id);
  }
}

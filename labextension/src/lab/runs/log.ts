/** The log of a step, in the main area, as the views of a notebook show it. */

import type { JupyterFrontEnd } from '@jupyterlab/application';
import { Widget } from '@lumino/widgets';
import { h } from '../../dom';
import { pipelineIcon } from '../icon';
import type { Session } from '../session';
import { logText } from '../server';

export async function showLog(
  shell: JupyterFrontEnd.IShell,
  { trans }: Session,
  run: string,
  step: string
): Promise<void> {
  const id = `kfnb-log-${run}-${step}`;
  let widget = [...shell.widgets('main')].find(one => one.id === id);
  if (!widget) {
    widget = new Widget({
      node: h(
        'pre',
        { class: 'kfnb-log-text', tabindex: 0 },
        (await logText(run, step)) || trans.__('The step printed nothing.')
      )
    });
    widget.id = id;
    widget.title.label = trans.__('Log of %1', step);
    widget.title.icon = pipelineIcon;
    widget.title.closable = true;
    shell.add(widget, 'main', { mode: 'split-bottom' });
  }
  shell.activateById(id);
}

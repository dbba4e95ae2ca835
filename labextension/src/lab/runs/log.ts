/** The log of a step, as text in the main area. */

import { Widget } from '@lumino/widgets';
import { h } from '../../dom';
import { pipelineIcon } from '../icon';
import type { MainArea } from '../main-area';
import { logText } from '../server';
import type { Session } from '../session';

export async function showLog(
  areas: MainArea,
  { trans }: Session,
  run: string,
  step: string
): Promise<void> {
  const id = `kfnb-log-${run}-${step}`;
  const make = async (): Promise<Widget> => {
    const text = await logText(run, step);
    const widget = new Widget({
      node: h(
        'pre',
        { class: 'kfnb-log-text', tabindex: 0 },
        text || trans.__('The step printed nothing.')
      )
    });
    widget.id = id;
    widget.title.label = trans.__('Log of %1', step);
    widget.title.icon = pipelineIcon;
    widget.title.closable = true;
    return widget;
  };
  await areas.show(id, make, 'split-bottom');
}

/** The guided example: a notebook with five lessons, which needs no other packages. */

import type { JupyterFrontEnd } from '@jupyterlab/application';
import type { TranslationBundle } from '@jupyterlab/translation';
import { ids } from './ids';
import { pipelineIcon } from './icon';
import guide from '../../../examples/guide/guide.ipynb';

/** Adds the command that writes the example beside the other files and opens it. */
export function addExample(
  app: JupyterFrontEnd,
  trans: TranslationBundle
): void {
  const { commands, serviceManager } = app;
  commands.addCommand(ids.example, {
    label: trans.__('Guided Pipeline Example'),
    caption: trans.__('Tag, run, break and fix a pipeline in five lessons'),
    icon: pipelineIcon,
    describedBy: { args: { type: 'object', properties: {} } },
    execute: async () => {
      const { contents } = serviceManager;
      const file = await contents.newUntitled({ type: 'notebook' });
      await contents.save(file.path, {
        type: 'notebook',
        format: 'json',
        content: guide
      });
      await commands.execute('docmanager:open', { path: file.path });
      await commands.execute(ids.open);
    }
  });
}

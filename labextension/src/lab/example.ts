/** The guided example: a notebook of four steps that needs no other packages. */

import type { JupyterFrontEnd } from '@jupyterlab/application';
import type { TranslationBundle } from '@jupyterlab/translation';
import { ids } from './ids';
import { pipelineIcon } from './icon';

const CELLS: readonly (readonly [tag: string, source: string])[] = [
  [
    '',
    '# A first pipeline\nEach tagged cell is a step. Open the pipeline panel at the left and press Run. ' +
      'Then change `n` below and run again: steps that do not use it come from the cache.'
  ],
  ['setup', 'import math\nimport random'],
  ['parameters', 'n = 1000'],
  [
    'step:draw points',
    'source = random.Random(0)\npoints = [(source.random(), source.random()) for _ in range(n)]'
  ],
  [
    'step:inside',
    'inside = sum(x * x + y * y <= 1 for x, y in points)\nestimate = 4 * inside / len(points)'
  ],
  [
    'step:series',
    'series = 4 * sum((-1) ** k / (2 * k + 1) for k in range(500))'
  ],
  [
    'step:compare',
    'for name, value in {"points": estimate, "series": series}.items():\n' +
      '    print(f"{name:8} {value:.4f}  error {abs(value - math.pi):.4f}")'
  ]
];

/** Adds the command that writes the example beside the other files and opens it. */
export function addExample(
  app: JupyterFrontEnd,
  trans: TranslationBundle
): void {
  const { commands, serviceManager } = app;
  commands.addCommand(ids.example, {
    label: trans.__('Guided Pipeline Example'),
    caption: trans.__('A small notebook that is a pipeline already'),
    icon: pipelineIcon,
    describedBy: { args: { type: 'object', properties: {} } },
    execute: async () => {
      const { contents } = serviceManager;
      const file = await contents.newUntitled({ type: 'notebook' });
      await contents.save(file.path, {
        type: 'notebook',
        format: 'json',
        content: {
          nbformat: 4,
          nbformat_minor: 5,
          metadata: {
            kernelspec: { name: 'python3', display_name: 'Python 3' }
          },
          cells: CELLS.map(([tag, source], number) => ({
            cell_type: number ? 'code' : 'markdown',
            id: `example-${number}`,
            metadata: tag ? { tags: [tag] } : {},
            source,
            ...(number ? { execution_count: null, outputs: [] } : {})
          }))
        }
      });
      await commands.execute('docmanager:open', { path: file.path });
      await commands.execute(ids.open);
    }
  });
}

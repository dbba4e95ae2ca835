/** What the notebook says of every step: options, and volumes. */

import type { Context } from '../context';
import { h } from '../dom';
import { plain, span, visible } from '../format';
import type { Graph, Volume } from '../protocol';

/** A closed list of the pipeline's options and volumes; null if it has none. */
export function pipelineOptions(
  { options, volumes }: Graph,
  { trans }: Context
): HTMLElement | null {
  const rows = [
    ...Object.entries(options).map(([name, value]) => [
      visible(name),
      name === 'timeout' && typeof value === 'number'
        ? span(value)
        : visible(plain(value))
    ]),
    ...volumes.map(volume => [
      `${trans('volume')} ${visible(volume.name)}`,
      described(volume, trans)
    ])
  ];
  if (rows.length === 0) {
    return null;
  }
  const names = rows.map(([name]) => name).join(', ');
  return h(
    'details',
    { class: 'kfnb-findings kfnb-pipeline-options' },
    h('summary', {}, `${trans('Options of the pipeline:')} ${names}`),
    h(
      'dl',
      {},
      ...rows.flatMap(([name, value]) => [
        h('dt', {}, name),
        h('dd', {}, value)
      ])
    )
  );
}

function described(
  { mount, claim, size }: Volume,
  trans: Context['trans']
): string {
  const content =
    claim === null
      ? trans('an empty folder')
      : `${trans('the claim')} ${visible(claim)}`;
  return [`${visible(mount)}: ${content}`, size && visible(size)]
    .filter(Boolean)
    .join(', ');
}

/** Why a step needs others: shown while the pointer is on the lines or the names of its row. */

import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';
import type { Need, StepRow } from '../../panel/rows';

interface Props {
  readonly row: StepRow;
  /** The row's place on the page, beside which the reasons are shown. */
  readonly beside: DOMRect;
  readonly trans: TranslationBundle;
  /** Called with the reasons that the pointer is on; null when it has left them. */
  readonly onReason: (row: StepRow, needs: readonly Need[] | null) => void;
}

export function Reasons(props: Props): React.JSX.Element {
  const { row, trans, onReason } = props;
  React.useEffect(() => {
    onReason(row, row.needs);
    return () => onReason(row, null);
  }, [row.name]);
  const { left, right, top } = props.beside;
  const where =
    right < innerWidth / 2
      ? { top, left: right - 2 }
      : { top, right: innerWidth - left - 2 };
  return (
    <div className="kfnb-reasons-tip" role="tooltip" style={where}>
      {row.needs.map(need => (
        <div
          key={need.source}
          onPointerEnter={() => onReason(row, [need])}
          onPointerLeave={() => onReason(row, row.needs)}
        >
          <strong>{trans.__('%1 → %2', need.source, row.name)}</strong>
          {need.names.length ? `: ${need.names.join(', ')}` : ''}
          {need.why === need.names.join(', ') ? null : (
            <div className="kfnb-soft">{need.why}</div>
          )}
        </div>
      ))}
    </div>
  );
}

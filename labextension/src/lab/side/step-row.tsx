/** One row of the list of steps. It is rendered again only if what it shows changed. */

import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';
import { duration } from '../../format';
import type { StepRow } from '../../panel/rows';
import { carriedRow, carriesRow, carry } from './dragging';
import { StatusGlyph } from './status-glyph';

export const ROW_HEIGHT = 24;
const LANE = 10;
const MOST_LANES = 6;

interface Calls {
  readonly go: (number: number) => void;
  readonly rename: (number: number) => void;
  readonly over: (step: string | null) => void;
  readonly explain: (step: string | null) => void;
  readonly drop: (onto: string, step: string) => void;
}

interface Props {
  readonly row: StepRow;
  readonly number: number;
  readonly lanes: number;
  readonly selected: boolean;
  readonly focused: boolean;
  /** Whether something is dragged over the row. */
  readonly over: boolean;
  readonly trans: TranslationBundle;
  readonly calls: Calls;
}

export const Row = React.memo(function Row(props: Props): React.JSX.Element {
  const { row, number, trans, calls } = props;
  const flows = row.flows.join(', ');
  const classes = ['kfnb-row'];
  if (props.focused) {
    classes.push('kfnb-focused');
  }
  if (row.proposed !== null) {
    classes.push('kfnb-proposed');
  }
  if (props.over) {
    classes.push('kfnb-over');
  }
  const explain = (): void => calls.explain(row.name);
  return (
    <div
      id={`kfnb-row-${number}`}
      className={classes.join(' ')}
      role="option"
      aria-selected={props.selected}
      aria-label={label(row, trans)}
      data-step={row.name}
      style={{ top: number * ROW_HEIGHT }}
      title={row.proposed ?? row.state?.again ?? undefined}
      draggable
      onDragStart={event => carry(event.dataTransfer, row.name)}
      onDragOver={event => {
        if (carriesRow(event.dataTransfer)) {
          event.preventDefault();
          calls.over(row.name);
        }
      }}
      onDragLeave={() => calls.over(null)}
      onDrop={event => calls.drop(row.name, carriedRow(event.dataTransfer))}
      onClick={() => calls.go(number)}
      onDoubleClick={() => calls.rename(number)}
    >
      <Lanes row={row} lanes={props.lanes} onExplain={explain} />
      {row.state ? <StatusGlyph state={row.state} /> : null}
      <span className="kfnb-row-name">{row.name}</span>
      {row.state?.round ? (
        <span className="kfnb-again" aria-hidden="true">
          ↻{row.state.round}
        </span>
      ) : null}
      <span className="kfnb-soft kfnb-flows" onPointerEnter={explain}>
        {flows}
      </span>
      <span className="kfnb-soft">{progress(row, trans)}</span>
      {row.errors ? <span className="kfnb-count">!{row.errors}</span> : null}
    </div>
  );
}, isSame);

/** Whether two rows show the same; rows are made anew with each message. */
function isSame(old: Props, next: Props): boolean {
  return (
    old.number === next.number &&
    old.lanes === next.lanes &&
    old.selected === next.selected &&
    old.focused === next.focused &&
    old.over === next.over &&
    (old.row === next.row ||
      JSON.stringify(old.row) === JSON.stringify(next.row))
  );
}

function Lanes({
  row,
  lanes,
  onExplain
}: {
  readonly row: StepRow;
  readonly lanes: number;
  readonly onExplain: () => void;
}): React.JSX.Element {
  const x = (lane: number): number =>
    Math.min(lane, MOST_LANES) * LANE + LANE / 2;
  const middle = ROW_HEIGHT / 2;
  const own = x(row.lanes.lane);
  const lines = [
    ...row.lanes.through.map(lane => `M${x(lane)} 0V${ROW_HEIGHT}`),
    ...row.lanes.from.map(
      lane => `M${x(lane)} 0C${x(lane)} ${middle} ${own} 0 ${own} ${middle}`
    ),
    row.lanes.goesOn ? `M${own} ${middle}V${ROW_HEIGHT}` : ''
  ];
  return (
    <svg
      className="kfnb-lanes"
      width={(lanes + 1) * LANE}
      height={ROW_HEIGHT}
      aria-hidden="true"
      onPointerEnter={onExplain}
    >
      <path d={lines.join('')} />
      <circle cx={own} cy={middle} r={3.5} />
    </svg>
  );
}

function progress(row: StepRow, trans: TranslationBundle): string {
  const { state } = row;
  if (!state) {
    return row.proposed === null
      ? ''
      : trans._n('%1 cell', '%1 cells', row.cells.length);
  }
  if (state.status === 'running') {
    return state.cells_total === null
      ? ''
      : `${state.cells_done}/${state.cells_total}`;
  }
  if (state.status === 'cached') {
    return trans.__('cached');
  }
  return state.duration === null ? '' : duration(state.duration);
}

function label(row: StepRow, trans: TranslationBundle): string {
  const parts = [row.name];
  if (row.state) {
    parts.push(row.state.status);
    if (row.state.status !== 'cached') {
      parts.push(progress(row, trans));
    }
    if (row.state.round) {
      parts.push(trans.__('executed again: %1', row.state.again));
    }
  }
  if (row.flows.length) {
    parts.push(trans.__('needs %1', row.flows.join(', ')));
  }
  if (row.errors) {
    parts.push(trans._n('%1 error', '%1 errors', row.errors));
  }
  if (row.proposed !== null) {
    parts.push(trans.__('proposed'), row.proposed);
  }
  return parts.filter(Boolean).join(', ');
}

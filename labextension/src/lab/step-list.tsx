/** The list of steps with lanes: one row a step; only the rows in view are in the page. */

import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';
import { duration } from '../format';
import { visible, type StepRow } from '../panel/rows';
import { StatusGlyph } from './status-glyph';

export const ROW_HEIGHT = 24;
const LANE = 10;
const MOST_LANES = 6;

interface Props {
  readonly rows: readonly StepRow[];
  readonly active: string | null;
  readonly trans: TranslationBundle;
  readonly onGo: (row: StepRow) => void;
  readonly onRename: (row: StepRow) => void;
  readonly onMove: (row: StepRow, by: 1 | -1) => void;
}

export function StepList(props: Props): React.JSX.Element {
  const { rows, active, trans } = props;
  const [view, setView] = React.useState({ top: 0, height: 480 });
  const [focused, setFocused] = React.useState(0);
  const list = React.useRef<HTMLDivElement>(null);
  React.useEffect(() => {
    const node = list.current;
    if (node) {
      setView({ top: node.scrollTop, height: node.clientHeight || 480 });
    }
  }, [rows.length]);
  const [first, last] = visible(view.top, view.height, ROW_HEIGHT, rows.length);
  const width = rows.reduce((most, row) => Math.max(most, row.lanes.lane), 0);
  const onKeyDown = (event: React.KeyboardEvent): void => {
    const row = rows[focused];
    const { key } = event;
    if (event.altKey && (key === 'ArrowUp' || key === 'ArrowDown') && row) {
      props.onMove(row, key === 'ArrowUp' ? -1 : 1);
    } else if (key === 'ArrowDown' || key === 'ArrowUp') {
      const next = focused + (key === 'ArrowDown' ? 1 : -1);
      setFocused(Math.max(0, Math.min(rows.length - 1, next)));
    } else if (key === 'Home' || key === 'End') {
      setFocused(key === 'Home' ? 0 : rows.length - 1);
    } else if ((key === 'Enter' || key === ' ') && row) {
      props.onGo(row);
    } else if (key === 'F2' && row) {
      props.onRename(row);
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  };
  React.useEffect(() => {
    const node = list.current;
    const top = focused * ROW_HEIGHT;
    if (node && node.contains(document.activeElement)) {
      if (top < node.scrollTop) {
        node.scrollTop = top;
      } else if (top + ROW_HEIGHT > node.scrollTop + node.clientHeight) {
        node.scrollTop = top + ROW_HEIGHT - node.clientHeight;
      }
    }
  }, [focused]);
  return (
    <div
      ref={list}
      className="kfnb-steps"
      role="listbox"
      tabIndex={0}
      aria-label={trans.__('Steps')}
      aria-activedescendant={rows[focused] ? `kfnb-row-${focused}` : undefined}
      onKeyDown={onKeyDown}
      onScroll={event =>
        setView({
          top: event.currentTarget.scrollTop,
          height: event.currentTarget.clientHeight
        })
      }
    >
      <div
        role="presentation"
        style={{ height: rows.length * ROW_HEIGHT, position: 'relative' }}
      >
        {rows.slice(first, last).map((row, offset) => (
          <Row
            key={row.name}
            {...props}
            row={row}
            number={first + offset}
            lanes={Math.min(width, MOST_LANES)}
            selected={active === row.name}
            focused={focused === first + offset}
            onFocus={() => setFocused(first + offset)}
          />
        ))}
      </div>
    </div>
  );
}

interface RowProps extends Props {
  readonly row: StepRow;
  readonly number: number;
  readonly lanes: number;
  readonly selected: boolean;
  readonly focused: boolean;
  readonly onFocus: () => void;
}

function Row(props: RowProps): React.JSX.Element {
  const { row, number, trans } = props;
  const flows = row.flows.join(', ');
  const classes = ['kfnb-row'];
  if (props.focused) {
    classes.push('kfnb-focused');
  }
  if (row.proposed !== null) {
    classes.push('kfnb-proposed');
  }
  return (
    <div
      id={`kfnb-row-${number}`}
      className={classes.join(' ')}
      role="option"
      aria-selected={props.selected}
      aria-label={label(row, trans)}
      style={{ top: number * ROW_HEIGHT }}
      title={row.proposed ?? (flows ? trans.__('needs %1', flows) : row.name)}
      onClick={() => {
        props.onFocus();
        props.onGo(row);
      }}
      onDoubleClick={() => props.onRename(row)}
    >
      <Lanes row={row} lanes={props.lanes} />
      {row.state ? <StatusGlyph state={row.state} /> : null}
      <span className="kfnb-row-name">{row.name}</span>
      <span className="kfnb-soft kfnb-flows">{flows}</span>
      <span className="kfnb-soft">{progress(row, trans)}</span>
      {row.errors ? <span className="kfnb-count">!{row.errors}</span> : null}
    </div>
  );
}

function Lanes({
  row,
  lanes
}: {
  readonly row: StepRow;
  readonly lanes: number;
}): React.JSX.Element {
  const x = (lane: number): number =>
    Math.min(lane, MOST_LANES) * LANE + LANE / 2;
  const middle = ROW_HEIGHT / 2;
  const own = x(row.lanes.lane);
  return (
    <svg
      className="kfnb-lanes"
      width={(lanes + 1) * LANE}
      height={ROW_HEIGHT}
      aria-hidden="true"
    >
      {row.lanes.through.map(lane => (
        <path key={`t${lane}`} d={`M${x(lane)} 0V${ROW_HEIGHT}`} />
      ))}
      {row.lanes.from.map(lane => (
        <path
          key={`f${lane}`}
          d={`M${x(lane)} 0C${x(lane)} ${middle} ${own} 0 ${own} ${middle}`}
        />
      ))}
      {row.lanes.goesOn ? <path d={`M${own} ${middle}V${ROW_HEIGHT}`} /> : null}
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

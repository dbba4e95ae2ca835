/** The list of steps with lanes: one row a step; only the rows in view are in the page. */

import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';
import { visible, type Need, type StepRow } from '../../panel/rows';
import { takeCells } from './dragging';
import { Reasons } from './reasons';
import { Row, ROW_HEIGHT } from './step-row';

const MOST_LANES = 6;

interface Props {
  readonly rows: readonly StepRow[];
  readonly active: string | null;
  readonly trans: TranslationBundle;
  readonly onGo: (row: StepRow) => void;
  readonly onRename: (row: StepRow) => void;
  readonly onMove: (row: StepRow, by: 1 | -1) => void;
  readonly onReason: (row: StepRow, needs: readonly Need[] | null) => void;
  /** Called when cells were dropped onto a row. */
  readonly onCells: (step: string, cells: readonly string[]) => void;
}

export function StepList(props: Props): React.JSX.Element {
  const { rows, active, trans } = props;
  const [view, setView] = React.useState<readonly [number, number]>([0, 28]);
  const [focused, setFocused] = React.useState(0);
  const [over, setOver] = React.useState<string | null>(null);
  const [explained, setExplained] = React.useState<string | null>(null);
  const list = React.useRef<HTMLDivElement>(null);
  // Rows are not rendered again because their list is: what they call is always the newest.
  const newest = React.useRef(props);
  newest.current = props;
  const look = (): void => {
    const node = list.current;
    if (node) {
      const next = visible(
        node.scrollTop,
        node.clientHeight || 480,
        ROW_HEIGHT,
        newest.current.rows.length
      );
      setView(old => (old.join() === next.join() ? old : next));
    }
  };
  React.useEffect(look, [rows.length]);
  React.useEffect(
    () =>
      list.current
        ? takeCells(
            list.current,
            event =>
              (event.target as Element)
                .closest('[data-step]')
                ?.getAttribute('data-step') ?? null,
            setOver,
            (step, cells) => newest.current.onCells(step, cells)
          )
        : undefined,
    []
  );
  const calls = React.useRef({
    go: (number: number) => {
      const row = newest.current.rows[number];
      setFocused(number);
      if (row) {
        newest.current.onGo(row);
      }
    },
    rename: (number: number) => {
      const row = newest.current.rows[number];
      if (row) {
        newest.current.onRename(row);
      }
    },
    over: setOver,
    explain: setExplained,
    drop: (onto: string, step: string) => {
      setOver(null);
      const dragged = newest.current.rows.find(row => row.name === step);
      if (dragged && onto !== step) {
        newest.current.onCells(onto, dragged.cells);
      }
    }
  });
  const first = Math.min(view[0], Math.max(0, rows.length - 1));
  const last = Math.min(view[1], rows.length);
  const width = React.useMemo(
    () => rows.reduce((most, row) => Math.max(most, row.lanes.lane), 0),
    [rows]
  );
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
  const shown = rows.slice(first, last);
  const tip = rows.findIndex(row => row.name === explained);
  const explainedRow = rows[tip];
  return (
    <div className="kfnb-steps-frame" onPointerLeave={() => setExplained(null)}>
      <div
        ref={list}
        className="kfnb-steps"
        role="listbox"
        tabIndex={0}
        aria-label={trans.__('Steps')}
        aria-activedescendant={
          focused >= first && focused < last ? `kfnb-row-${focused}` : undefined
        }
        onKeyDown={onKeyDown}
        onScroll={look}
      >
        <div
          role="presentation"
          style={{ height: rows.length * ROW_HEIGHT, position: 'relative' }}
        >
          {shown.map((row, offset) => (
            <Row
              key={row.name}
              row={row}
              number={first + offset}
              lanes={Math.min(width, MOST_LANES)}
              selected={active === row.name}
              focused={focused === first + offset}
              over={over === row.name}
              trans={trans}
              calls={calls.current}
            />
          ))}
        </div>
      </div>
      {explainedRow?.needs.length ? (
        <Reasons
          row={explainedRow}
          beside={rowBox(list.current, tip)}
          trans={trans}
          onReason={props.onReason}
        />
      ) : null}
    </div>
  );
}

/** Where a row is on the page; rows are as wide as their list. */
function rowBox(list: HTMLElement | null, number: number): DOMRect {
  const box = list?.getBoundingClientRect() ?? new DOMRect();
  const top = box.top + number * ROW_HEIGHT - (list?.scrollTop ?? 0);
  return new DOMRect(box.left, top, box.width, ROW_HEIGHT);
}

/** The side panel: what the notebook says, its run, and what can be done now. */

import { ReactWidget, UseSignal } from '@jupyterlab/apputils';
import type { CommandRegistry } from '@lumino/commands';
import * as React from 'react';
import { fromKale } from '../../panel/declaration';
import { stepRows, type Need, type StepRow } from '../../panel/rows';
import { highlight } from '../cells/highlights';
import { ids } from '../ids';
import { pipelineIcon } from '../icon';
import type { Props } from './sections';
import { Failure, Lost, Repairs } from './outcome';
import { Absent, Act, Parameters, Problems, Runs, Section } from './sections';
import type { Open, Session } from '../session';
import { StatusGlyph } from './status-glyph';
import { StepList } from './step-list';

export class SidePanel extends ReactWidget {
  constructor(
    private readonly session: Session,
    private readonly commands: CommandRegistry
  ) {
    super();
    this.id = 'kfnb-panel';
    this.title.icon = pipelineIcon;
    this.title.caption = session.trans.__('Pipeline');
    this.addClass('kfnb-panel');
    this.node.setAttribute('role', 'region');
    this.node.setAttribute('aria-label', session.trans.__('Pipeline'));
    this.node.tabIndex = -1;
    session.changed.connect(() => this.watchRuns());
  }

  protected override onAfterShow(): void {
    this.watchRuns();
  }

  protected override onAfterHide(): void {
    this.watchRuns();
  }

  /** Runs of all notebooks are listed only where no notebook is open. */
  private watchRuns(): void {
    const { allRuns, current } = this.session;
    allRuns.watch(this.isVisible && current === null);
  }

  protected override render(): React.JSX.Element {
    return (
      <UseSignal signal={this.session.changed}>
        {() => <Content session={this.session} commands={this.commands} />}
      </UseSignal>
    );
  }
}

function Content({ session, commands }: Props): React.JSX.Element {
  const { trans, current } = session;
  const { book } = current ?? {};
  const steps = book?.state?.steps ?? null;
  // The rows stay the same objects while only the active cell changes.
  const rows = React.useMemo(
    () =>
      book ? stepRows(book.outline, book.graph, steps, book.proposal) : [],
    [book, book?.outline, book?.graph, steps, book?.proposal]
  );
  if (!current || !book) {
    return (
      <div className="kfnb-empty">
        <p>{trans.__('Open a notebook to make a pipeline of it.')}</p>
        <Act commands={commands} id={ids.example}>
          {trans.__('Guided example')}
        </Act>
        <AllRunsList session={session} commands={commands} />
      </div>
    );
  }
  const { outline, state, proposal } = book;
  const untagged = !outline.steps.some(step => step.name !== title(current));
  const kale = !proposal && fromKale(book.cells).length > 0;
  return (
    <>
      <Head session={session} commands={commands} open={current} />
      <Absent session={session} />
      {book.problem ? (
        <p className="kfnb-problem" role="alert">
          {book.problem}
        </p>
      ) : null}
      <Lost open={current} session={session} commands={commands} />
      {state?.status === 'failed' ? (
        <Failure open={current} session={session} commands={commands} />
      ) : null}
      <Repairs open={current} session={session} />
      {kale ? (
        <div className="kfnb-block">
          <p>
            {trans.__(
              'This notebook has tags of Kale, which work as they are.'
            )}
          </p>
          <Act commands={commands} id={ids.kale}>
            {trans.__('Rewrite them as tags of kfnb')}
          </Act>
        </div>
      ) : null}
      {untagged && !proposal ? (
        <div className="kfnb-block">
          <p>{trans.__('One step: all of it')}</p>
          <Act commands={commands} id={ids.suggest}>
            {trans.__('Suggest steps')}
          </Act>
          <Act commands={commands} id={ids.step}>
            {trans.__('Step from selection')}
          </Act>
          <p className="kfnb-soft">{trans.__('or type T S on a cell')}</p>
        </div>
      ) : null}
      {proposal ? (
        <div className="kfnb-block">
          <p>
            {trans._n(
              '%1 step is suggested. Nothing is written before you accept.',
              '%1 steps are suggested. Nothing is written before you accept.',
              proposal.steps.length
            )}
          </p>
          <Act commands={commands} id={ids.accept} main>
            {trans.__('Accept')}
          </Act>
          <Act commands={commands} id={ids.dismiss}>
            {trans.__('Dismiss')}
          </Act>
        </div>
      ) : null}
      <Section
        title={trans.__('Steps')}
        count={rows.length}
        extra={
          <Act commands={commands} id={ids.graph}>
            {trans.__('Graph')}
          </Act>
        }
      >
        <div className={book.stale ? 'kfnb-stale' : ''}>
          <StepList
            rows={rows}
            active={rowOf(rows, current.host.active)}
            trans={trans}
            onGo={row => void current.host.goTo(row.cells)}
            onRename={row =>
              void commands.execute(ids.rename, { step: row.name })
            }
            onMove={(row, by) =>
              void commands.execute(ids.boundary, { step: row.name, by })
            }
            onReason={(row, needs) => mark(current, row, needs)}
            onCells={(step, cells) =>
              void commands.execute(ids.absorb, { step, cells: [...cells] })
            }
          />
        </div>
      </Section>
      <Section title={trans.__('Parameters')} count={null}>
        <Parameters open={current} session={session} />
      </Section>
      <Problems
        session={session}
        open={current}
        problems={book.diagnostics.filter(one => one.severity !== 'hint')}
        warnings={state?.warnings ?? []}
        commands={commands}
      />
      <Runs
        session={session}
        runs={book.runs}
        commands={commands}
        extra={
          <Act commands={commands} id={ids.runs}>
            {trans.__('Table')}
          </Act>
        }
      />
    </>
  );
}

function AllRunsList({ session, commands }: Props): React.JSX.Element {
  const { trans, allRuns } = session;
  const going = (status: string): boolean =>
    status === 'running' || status === 'pending';
  const parts = [
    [trans.__('Running'), allRuns.runs.filter(run => going(run.status))],
    [trans.__('Ended'), allRuns.runs.filter(run => !going(run.status))]
  ] as const;
  return (
    <>
      {parts.map(([heading, runs]) =>
        runs.length ? (
          <Runs
            key={heading}
            title={heading}
            session={session}
            runs={runs}
            commands={commands}
          />
        ) : null
      )}
    </>
  );
}

/** Marks the names that flow in the cells of both steps. */
function mark(
  { host, book }: Open,
  row: StepRow,
  needs: readonly Need[] | null
): void {
  const names = (needs ?? []).flatMap(need => need.names);
  const sources = (needs ?? []).map(need => need.source);
  const cells = book.outline.steps
    .filter(step => sources.includes(step.name))
    .flatMap(step => step.cells);
  highlight(host, [...cells, ...row.cells], names);
}

function Head({
  session,
  commands,
  open
}: Props & { readonly open: Open }): React.JSX.Element {
  const { trans } = session;
  const { book } = open;
  const errors = book.diagnostics.filter(one => one.severity === 'error');
  const { state } = book;
  const steps = Object.values(state?.steps ?? {});
  const done = steps.filter(one =>
    ['succeeded', 'cached', 'skipped'].includes(one.status)
  ).length;
  return (
    <header className="kfnb-head">
      <strong className="kfnb-title">{title(open)}</strong>
      {book.running ? (
        <Act commands={commands} id={ids.stop}>
          {trans.__('Stop')}
        </Act>
      ) : (
        <span className="kfnb-split">
          <Act commands={commands} id={ids.run} main>
            {trans.__('Run')}
          </Act>
          <button
            className="kfnb-button kfnb-main"
            aria-label={trans.__('Run with parameters and target')}
            onClick={() => void commands.execute(ids.runWith)}
          >
            ▾
          </button>
        </span>
      )}
      <div className="kfnb-soft" role="status">
        {state ? (
          <>
            <StatusGlyph state={{ status: state.status }} />{' '}
            {trans.__('%1/%2', done, steps.length)} · {book.run?.target}
            {[...book.metrics].slice(0, 3).map(([name, values]) => (
              <span key={name} className="kfnb-metric">
                {name} {short(values.at(-1))}
                {trend(values)}
              </span>
            ))}
          </>
        ) : errors.length ? (
          trans._n('%1 error', '%1 errors', errors.length)
        ) : (
          session.preferences.target
        )}
      </div>
      {book.running && steps.length ? (
        <progress
          className="kfnb-progress"
          max={steps.length}
          value={done}
          aria-label={trans.__('Steps that are done')}
        />
      ) : null}
    </header>
  );
}

function short(value: number | undefined): string {
  return value === undefined ? '' : String(Number(value.toPrecision(3)));
}

function trend(values: readonly number[]): string {
  const [before, now] = values;
  return before === undefined || now === undefined || before === now
    ? ''
    : now > before
      ? ' ▲'
      : ' ▼';
}

function title({ host }: Open): string {
  return (host.path.split('/').at(-1) ?? host.path).replace(/\.ipynb$/, '');
}

function rowOf(rows: readonly StepRow[], cell: string | null): string | null {
  return (
    rows.find(row => cell !== null && row.cells.includes(cell))?.name ?? null
  );
}

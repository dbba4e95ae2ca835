/** The side panel: what the notebook says, its run, and what can be done now. */

import { ReactWidget, UseSignal } from '@jupyterlab/apputils';
import type { CommandRegistry } from '@lumino/commands';
import * as React from 'react';
import { stepRows, type StepRow } from '../panel/rows';
import { ids } from './ids';
import { pipelineIcon } from './icon';
import type { Props } from './sections';
import {
  Absent,
  Act,
  Failure,
  Parameters,
  Problems,
  Runs,
  Section
} from './sections';
import type { Open, Session } from './session';
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
  if (!current) {
    return (
      <div className="kfnb-empty">
        <p>{trans.__('Open a notebook to make a pipeline of it.')}</p>
        <Act commands={commands} id={ids.example}>
          {trans.__('Guided example')}
        </Act>
        <Runs session={session} runs={[]} commands={commands} />
      </div>
    );
  }
  const { book } = current;
  const { outline, graph, state, proposal } = book;
  const untagged = !outline.steps.some(step => step.name !== title(current));
  const rows = stepRows(outline, graph, state?.steps ?? null, proposal);
  return (
    <>
      <Head session={session} commands={commands} open={current} />
      <Absent session={session} />
      {book.problem ? (
        <p className="kfnb-problem" role="alert">
          {book.problem}
        </p>
      ) : null}
      {state?.driver.startsWith('lost') ? (
        <div className="kfnb-block" role="alert">
          <p>
            {trans.__(
              'The process that drives this run was lost. Resume continues with the code that the run was started with.'
            )}
          </p>
          <Act commands={commands} id={ids.resume} main>
            {trans.__('Resume')}
          </Act>
        </div>
      ) : null}
      {state?.status === 'failed' ? (
        <Failure open={current} session={session} commands={commands} />
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
          <Act commands={commands} id={ids.graph} small>
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
        commands={commands}
      />
      <Runs session={session} runs={book.runs} commands={commands} />
    </>
  );
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

function title({ host }: Open): string {
  return (host.path.split('/').at(-1) ?? host.path).replace(/\.ipynb$/, '');
}

function rowOf(rows: readonly StepRow[], cell: string | null): string | null {
  return (
    rows.find(row => cell !== null && row.cells.includes(cell))?.name ?? null
  );
}

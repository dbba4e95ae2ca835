/** The sections of the side panel. */

import type { CommandRegistry } from '@lumino/commands';
import * as React from 'react';
import { clock, duration, plain } from '../../format';
import type { Diagnostic, ListedRun, RunWarning } from '../../protocol';
import { fixFor } from '../fixes';
import { ids } from '../ids';
import type { Open, Session } from '../session';
import { StatusGlyph } from './status-glyph';

export interface Props {
  readonly session: Session;
  readonly commands: CommandRegistry;
}

export function Problems({
  session,
  open,
  problems,
  warnings,
  commands
}: Props & {
  readonly open: Open;
  readonly problems: readonly Diagnostic[];
  readonly warnings: readonly RunWarning[];
}): React.JSX.Element {
  const { trans } = session;
  const all = problems.length + warnings.length;
  return (
    <Section title={trans.__('Problems')} count={all || null}>
      {all ? null : <p className="kfnb-soft">{trans.__('none')}</p>}
      {warnings.slice(0, 20).map((one, number) => (
        <div key={`w${number}`} className="kfnb-finding kfnb-warning">
          <span className="kfnb-code">{one.code?.replace('KFNB-', '')}</span>{' '}
          {trans.__('In the run: %1', one.message)} {one.remedy}
        </div>
      ))}
      {problems.slice(0, 100).map((one, number) => {
        const fix = fixFor(one, open, trans);
        const { location } = one;
        return (
          <div key={number} className={`kfnb-finding kfnb-${one.severity}`}>
            <span className="kfnb-code">{one.code.replace('KFNB-', '')}</span>{' '}
            {one.message}. {one.remedy}
            <div>
              {fix ? (
                <button
                  className="kfnb-button"
                  onClick={() => session.edit(open, fix.edits)}
                >
                  {fix.title}
                </button>
              ) : null}
              {location ? (
                <button
                  className="kfnb-button"
                  onClick={() =>
                    void open.host.goTo([location.id], location.line)
                  }
                >
                  {trans.__('Go')}
                </button>
              ) : null}
            </div>
          </div>
        );
      })}
      {problems.some(one => fixFor(one, open, trans)) ? (
        <Act commands={commands} id={ids.fixAll}>
          {trans.__('Fix all')}
        </Act>
      ) : null}
    </Section>
  );
}

export function Parameters({
  open,
  session
}: {
  readonly open: Open;
  readonly session: Session;
}): React.JSX.Element {
  const { trans } = session;
  const parameters = open.book.graph?.parameters ?? [];
  if (!parameters.length) {
    return (
      <p className="kfnb-soft">
        {trans.__('none; type T P on a cell with first values')}
      </p>
    );
  }
  return (
    <button
      className="kfnb-link"
      onClick={() => void open.host.goTo(open.book.outline.parameters)}
    >
      {parameters.map(one => `${one.name} = ${plain(one.default)}`).join(', ')}
    </button>
  );
}

export function Runs({
  session,
  runs,
  commands,
  title,
  extra
}: Props & {
  readonly runs: readonly ListedRun[];
  readonly title?: string;
  readonly extra?: React.ReactNode;
}): React.JSX.Element {
  const { trans } = session;
  return (
    <Section
      title={title ?? trans.__('Runs')}
      count={runs.length || null}
      extra={extra}
    >
      {runs.length ? null : <p className="kfnb-soft">{trans.__('none')}</p>}
      {runs.slice(0, 12).map(run => (
        <button
          key={run.id}
          className="kfnb-run"
          title={run.id}
          onClick={() => {
            const shown = session.current ? ids.show : ids.openRun;
            const { notebook } = run;
            void commands.execute(shown, { run: run.id, notebook });
          }}
        >
          <StatusGlyph state={{ status: run.status }} />
          <span className="kfnb-run-name">
            {run.title || clock(run.created)}
            {session.current ? null : ` ${name(run)}`}
          </span>
          <span className="kfnb-soft">
            {run.duration === null ? run.status : duration(run.duration)}
          </span>
        </button>
      ))}
    </Section>
  );
}

function name({ notebook }: ListedRun): string {
  return (notebook?.split('/').at(-1) ?? '').replace(/\.ipynb$/, '');
}

export function Absent({
  session
}: {
  readonly session: Session;
}): React.JSX.Element | null {
  const { connection, trans } = session;
  if (connection.differs) {
    return (
      <p className="kfnb-problem" role="alert">
        {trans.__(
          'The server has kfnb %1 and this page has kfnb %2. Restart the server and load the page again; if that does not help, install one version for both.',
          connection.version,
          KFNB_VERSION
        )}
      </p>
    );
  }
  if (connection.state === 'none') {
    return (
      <p className="kfnb-problem" role="alert">
        {trans.__(
          "JupyterLite has no server, so cells can be tagged here but not run: type %pip install kfnb and %pipeline show in a cell to check and draw the pipeline, and open the notebook in JupyterLab with pip install 'kfnb[lab]' to run it."
        )}
      </p>
    );
  }
  if (connection.state === 'absent') {
    return (
      <p className="kfnb-problem" role="alert">
        {trans.__(
          "This server does not have kfnb, so tags work and runs do not. Type pip install 'kfnb[lab]' and restart the server."
        )}
      </p>
    );
  }
  if (connection.state === 'lost') {
    return (
      <p className="kfnb-problem" role="alert">
        {trans.__('The connection to the server was lost. Runs go on.')}
      </p>
    );
  }
  return null;
}

export function Section(props: {
  readonly title: string;
  readonly count: number | null;
  readonly extra?: React.ReactNode;
  readonly children: React.ReactNode;
}): React.JSX.Element {
  return (
    <div className="kfnb-section-frame">
      <details className="kfnb-section" open>
        <summary>
          {props.title} <span className="kfnb-soft">{props.count ?? ''}</span>
        </summary>
        {props.children}
      </details>
      {props.extra ? (
        // Not in the summary, which is a button itself.
        <div className="kfnb-section-extra">{props.extra}</div>
      ) : null}
    </div>
  );
}

export function Act(props: {
  readonly commands: CommandRegistry;
  readonly id: string;
  readonly main?: boolean;
  readonly args?: { readonly [name: string]: string };
  readonly children: React.ReactNode;
}): React.JSX.Element {
  const classes = ['kfnb-button'];
  if (props.main) {
    classes.push('kfnb-main');
  }
  return (
    <button
      className={classes.join(' ')}
      onClick={event => {
        event.preventDefault();
        void props.commands.execute(props.id, props.args);
      }}
    >
      {props.children}
    </button>
  );
}

/** The sections of the side panel. */

import type { CommandRegistry } from '@lumino/commands';
import * as React from 'react';
import { clock, duration } from '../format';
import type { Diagnostic, ListedRun, StepState } from '../protocol';
import { fixFor } from './fixes';
import { ids } from './ids';
import type { Open, Session } from './session';
import { StatusGlyph } from './status-glyph';

export interface Props {
  readonly session: Session;
  readonly commands: CommandRegistry;
}

export function Failure({
  open,
  session,
  commands
}: Props & { readonly open: Open }): React.JSX.Element {
  const { trans } = session;
  const failed = Object.values(open.book.state?.steps ?? {}).filter(
    (one): one is StepState => one.status === 'failed'
  );
  return (
    <div className="kfnb-failure">
      {failed.slice(0, 3).map(one => {
        const { error } = one;
        const line = error?.location?.line;
        const cell = error?.location?.id;
        return (
          <div key={one.step + one.index} role="alert">
            <strong>{one.step}</strong>
            {line ? trans.__(', line %1', line) : ''}
            <div className="kfnb-message">
              {error?.ename ? `${error.ename}: ${error.evalue ?? ''}` : null}
              {!error?.ename ? error?.summary : null}
            </div>
            {cell ? (
              <button
                className="kfnb-button"
                onClick={() => void open.host.goTo([cell], line ?? null)}
              >
                {trans.__('Go to line')}
              </button>
            ) : null}
          </div>
        );
      })}
      <Act commands={commands} id={ids.run} main>
        {trans.__('Run again')}
      </Act>
      <Act commands={commands} id={ids.log}>
        {trans.__('Log')}
      </Act>
    </div>
  );
}

export function Problems({
  session,
  open,
  problems,
  commands
}: Props & {
  readonly open: Open;
  readonly problems: readonly Diagnostic[];
}): React.JSX.Element {
  const { trans } = session;
  return (
    <Section title={trans.__('Problems')} count={problems.length || null}>
      {problems.length ? null : <p className="kfnb-soft">{trans.__('none')}</p>}
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
  const names = new Set(
    (open.book.graph?.nodes ?? []).flatMap(node => node.parameters)
  );
  if (!names.size) {
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
      {[...names].join(', ')}
    </button>
  );
}

export function Runs({
  session,
  runs,
  commands
}: Props & { readonly runs: readonly ListedRun[] }): React.JSX.Element {
  const { trans } = session;
  return (
    <Section title={trans.__('Runs')} count={runs.length || null}>
      {runs.length ? null : <p className="kfnb-soft">{trans.__('none')}</p>}
      {runs.slice(0, 12).map(run => (
        <button
          key={run.id}
          className="kfnb-run"
          title={run.id}
          onClick={() => void commands.execute(ids.show, { run: run.id })}
        >
          <StatusGlyph state={{ status: run.status }} />
          <span className="kfnb-run-name">
            {run.title || clock(run.created)}
          </span>
          <span className="kfnb-soft">
            {run.duration === null ? run.status : duration(run.duration)}
          </span>
        </button>
      ))}
    </Section>
  );
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
    <details className="kfnb-section" open>
      <summary>
        {props.title} <span className="kfnb-soft">{props.count ?? ''}</span>
        {props.extra}
      </summary>
      {props.children}
    </details>
  );
}

export function Act(props: {
  readonly commands: CommandRegistry;
  readonly id: string;
  readonly main?: boolean;
  readonly small?: boolean;
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
        void props.commands.execute(props.id);
      }}
    >
      {props.children}
    </button>
  );
}

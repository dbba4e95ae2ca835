/** How a run ended: what failed, what was lost, and what was executed again. */

import * as React from 'react';
import type { StepState } from '../../protocol';
import { ids } from '../ids';
import { planRun } from '../server';
import type { Open, Session } from '../session';
import { Act, type Props } from './sections';

/** The class of failures that are not the code's: a lost node, a kernel that was killed. */
const INFRASTRUCTURE = 'infrastructure';

export function Failure({
  open,
  session,
  commands
}: Props & { readonly open: Open }): React.JSX.Element {
  const { trans } = session;
  const failed = Object.values(open.book.state?.steps ?? {}).filter(
    one => one.status === 'failed'
  );
  const plan = usePlan(open);
  const lost = failed.every(one => one.error?.class === INFRASTRUCTURE);
  return (
    <div className="kfnb-failure">
      {failed.slice(0, 3).map(one => (
        <FailedStep
          key={one.step + one.index}
          open={open}
          session={session}
          state={one}
        />
      ))}
      {lost && failed.length ? (
        <>
          <p>
            {trans.__(
              'The code did not fail. Resume continues this run with the code that it was started with.'
            )}
          </p>
          <Act commands={commands} id={ids.resume} main>
            {trans.__('Resume')}
          </Act>
        </>
      ) : null}
      <Act commands={commands} id={ids.run} main={!lost}>
        {trans.__('Run again')}
      </Act>
      <span className="kfnb-soft">{plan}</span>
      <div>
        <Act commands={commands} id={ids.debug}>
          {trans.__('Debug')}
        </Act>
        <Act commands={commands} id={ids.log}>
          {trans.__('Log')}
        </Act>
        {failed[0] ? (
          <Act
            commands={commands}
            id={ids.executed}
            args={{ step: failed[0].step }}
          >
            {trans.__('Executed notebook')}
          </Act>
        ) : null}
      </div>
    </div>
  );
}

function FailedStep({
  open,
  session,
  state
}: {
  readonly open: Open;
  readonly session: Session;
  readonly state: StepState;
}): React.JSX.Element {
  const { trans } = session;
  const { error } = state;
  const line = error?.location?.line;
  const cell = error?.location?.id;
  return (
    <div role="alert">
      <strong>{state.step}</strong>
      {line ? trans.__(', line %1', line) : ''}
      <div className="kfnb-message">
        {error?.ename
          ? `${error.ename}: ${error.evalue ?? ''}`
          : error?.summary}
      </div>
      {error?.remedy ? <p className="kfnb-soft">{error.remedy}</p> : null}
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
}

/** What a new run would execute; planned again when the notebook was saved. */
function usePlan(open: Open): string {
  const [plan, setPlan] = React.useState('');
  const { host, book } = open;
  const { model } = host.panel.context;
  React.useEffect(() => {
    let current = true;
    if (!model.dirty) {
      planRun({ path: host.path }).then(
        summary => current && setPlan(summary),
        () => current && setPlan('')
      );
    }
    return () => {
      current = false;
    };
  }, [host.path, book.run?.id, model.dirty]);
  return model.dirty ? '' : plan;
}

export function Lost({
  open,
  session,
  commands
}: Props & { readonly open: Open }): React.JSX.Element | null {
  const { trans } = session;
  if (!open.book.state?.driver.startsWith('lost')) {
    return null;
  }
  return (
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
  );
}

/** The steps that a run began anew, because they had used something old. */
export function Repairs({
  open,
  session
}: {
  readonly open: Open;
  readonly session: Session;
}): React.JSX.Element | null {
  const { trans } = session;
  const again = Object.values(open.book.state?.steps ?? {}).filter(
    one => one.round > 0
  );
  return again.length ? (
    <div className="kfnb-block kfnb-repairs" role="status">
      {again.slice(0, 5).map(one => (
        <p key={one.step + one.index}>
          ↻ <strong>{one.step}</strong>{' '}
          {trans.__('was executed again: %1', one.again)}
        </p>
      ))}
    </div>
  ) : null;
}

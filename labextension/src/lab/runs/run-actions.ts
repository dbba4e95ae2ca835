/** Starting, stopping and resuming runs of a notebook. */

import { Notification, showErrorMessage } from '@jupyterlab/apputils';
import type { NewRun } from '../server';
import { Refused, resumeRun, startRun, stopRun } from '../server';
import type { Open, Session } from '../session';

/** Saves the notebook if it has changes, starts a run of it, and follows the run. */
export async function start(
  session: Session,
  open: Open,
  more: Partial<NewRun> = {}
): Promise<void> {
  const { trans, preferences } = session;
  const { host, book } = open;
  const { context } = host.panel;
  try {
    if (context.model.dirty) {
      await context.save();
    }
    const { hash, hash_algorithm: algorithm } = context.contentsModel ?? {};
    const { id } = await startRun({
      path: host.path,
      ...(hash && algorithm === 'sha256' ? { sha256: hash } : {}),
      target: preferences.target,
      ...more
    });
    book.follow(id);
  } catch (error) {
    if (error instanceof Refused && error.findings.length) {
      book.problem = error.message;
      book.changed();
      return;
    }
    await showErrorMessage(trans.__('The run did not start'), error as Error);
  }
}

export async function stop(session: Session, open: Open): Promise<void> {
  await attempt(session, open, stopRun);
}

/** Continues the run with the code that it was started with. */
export async function resume(session: Session, open: Open): Promise<void> {
  await attempt(session, open, resumeRun);
  open.book.follow(open.book.run?.id ?? null);
}

async function attempt(
  { trans }: Session,
  { book }: Open,
  what: (id: string) => Promise<void>
): Promise<void> {
  const id = book.run?.id;
  if (id === undefined) {
    return;
  }
  try {
    await what(id);
  } catch (error) {
    await showErrorMessage(
      trans.__('The run could not be changed'),
      error as Error
    );
  }
}

/** Shows how a run of a notebook ended. */
export function notify(
  { trans, preferences }: Session,
  { host, book }: Open,
  showLog: () => void
): void {
  if (!preferences.notifications || !book.state) {
    return;
  }
  const name = host.path.split('/').at(-1) ?? host.path;
  const { status, steps } = book.state;
  const failed = Object.values(steps).find(one => one.status === 'failed');
  if (status === 'failed') {
    const location = failed?.error?.location;
    Notification.error(
      trans.__('%1: step "%2" failed', name, failed?.step ?? ''),
      {
        autoClose: 15_000,
        actions: [
          ...(location
            ? [
                {
                  label: trans.__('Go'),
                  callback: () => void host.goTo([location.id], location.line)
                }
              ]
            : []),
          { label: trans.__('Log'), callback: showLog }
        ]
      }
    );
  } else if (status === 'succeeded') {
    Notification.success(trans.__('%1: the run succeeded', name));
  } else {
    Notification.info(trans.__('%1: the run was stopped', name));
  }
}

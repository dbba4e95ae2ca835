/** Executed notebooks of runs as a read-only drive, so that the normal viewer opens them. */

import type { Contents, ServerConnection } from '@jupyterlab/services';
import { ServerConnection as Connection } from '@jupyterlab/services';
import { Signal } from '@lumino/signaling';
import { executedNotebook } from '../server';

const DRIVE = 'kfnb';
const READ_ONLY = 'Executed notebooks of runs cannot be changed.';

/** The path of the executed notebook of a step. */
export function executedPath(run: string, step: string): string {
  return `${DRIVE}:${run}/${encodeURIComponent(step)}.ipynb`;
}

/** Whether a path is that of an executed notebook. */
export function isExecuted(path: string): boolean {
  return path.startsWith(`${DRIVE}:`);
}

export class ExecutedNotebooks implements Contents.IDrive {
  readonly name = DRIVE;
  readonly serverSettings: ServerConnection.ISettings =
    Connection.makeSettings();
  readonly fileChanged = new Signal<this, Contents.IChangedArgs>(this);
  isDisposed = false;

  dispose(): void {
    this.isDisposed = true;
    Signal.clearData(this);
  }

  async get(path: string): Promise<Contents.IModel> {
    const [run = '', file = ''] = path.split('/');
    const step = decodeURIComponent(file.replace(/\.ipynb$/, ''));
    const { name, text } = await executedNotebook(run, step);
    return {
      name,
      path,
      type: 'notebook',
      format: 'json',
      mimetype: 'application/x-ipynb+json',
      content: JSON.parse(text) as unknown,
      writable: false,
      created: '',
      last_modified: ''
    };
  }

  getDownloadUrl(): Promise<string> {
    return refused();
  }

  newUntitled(): Promise<Contents.IModel> {
    return refused();
  }

  delete(): Promise<void> {
    return refused();
  }

  rename(): Promise<Contents.IModel> {
    return refused();
  }

  save(): Promise<Contents.IModel> {
    return refused();
  }

  copy(): Promise<Contents.IModel> {
    return refused();
  }

  createCheckpoint(): Promise<Contents.ICheckpointModel> {
    return refused();
  }

  listCheckpoints(): Promise<Contents.ICheckpointModel[]> {
    return Promise.resolve([]);
  }

  restoreCheckpoint(): Promise<void> {
    return refused();
  }

  deleteCheckpoint(): Promise<void> {
    return refused();
  }
}

function refused(): Promise<never> {
  return Promise.reject(new Error(READ_ONLY));
}

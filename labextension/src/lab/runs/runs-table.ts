/** The table of runs in the main area: compare, run again, delete, and show one. */

import { Dialog, showDialog, showErrorMessage } from '@jupyterlab/apputils';
import { Widget } from '@lumino/widgets';
import { CompareView } from '../../compare';
import type { Context } from '../../context';
import { h } from '../../dom';
import type { ListedRun, ToKernel } from '../../protocol';
import { RunList } from '../../runs';
import { partContext } from '../part-context';
import { pipelineIcon } from '../icon';
import { compareRuns, listRuns, removeRun } from '../server';
import type { Open, Session } from '../session';
import { start } from './run-actions';

export const RUNS_ID = 'kfnb-runs-table';

export class RunsTable extends Widget {
  constructor(
    private readonly session: Session,
    private readonly open: Open
  ) {
    super();
    const { trans } = session;
    this.id = `${RUNS_ID}-${open.host.panel.id}`;
    this.title.label = trans.__(
      'Runs of %1',
      open.host.path.split('/').at(-1) ?? ''
    );
    this.title.icon = pipelineIcon;
    this.title.closable = true;
    this.addClass('kfnb-runs-table');
    const context: Context = {
      ...partContext(session),
      post: message => void this.answer(message)
    };
    this.view = h('section', { class: 'kfnb-view' });
    context.theme.connect(value => (this.view.dataset.theme = value));
    this.view.dataset.theme = context.theme.value;
    this.list = new RunList(this.view, context);
    this.compare = new CompareView(this.view, context);
    this.compare.node.hidden = true;
    this.view.insertBefore(this.bar(), this.view.firstChild);
    this.node.append(this.view);
    this.list.onChoose = ids => this.choose(ids);
    this.list.onCompare = () => {
      this.compare.node.hidden = false;
      this.compare.open(this.chosen);
      this.compare.node.scrollIntoView({ block: 'nearest' });
    };
    this.compare.onRemove = ids => {
      this.list.choose(ids);
      this.choose(ids);
    };
    this.compare.onAdd = () => this.list.node.scrollIntoView();
    open.host.panel.disposed.connect(() => this.dispose());
    session.changed.connect(this.follow);
    this.list.open();
    this.choose([]);
  }

  override dispose(): void {
    this.session.changed.disconnect(this.follow);
    this.list.dispose();
    this.compare.dispose();
    super.dispose();
  }

  private bar(): HTMLElement {
    const { trans } = this.session;
    const button = (label: string, act: () => Promise<void> | void) => {
      const made = h('button', { type: 'button', class: 'kfnb-button' }, label);
      made.addEventListener('click', () => void act());
      return made;
    };
    this.one = [
      button(trans.__('Show'), () => this.showRun()),
      button(trans.__('Run with the same parameters'), () => this.again())
    ];
    this.any = [button(trans.__('Delete'), () => this.remove())];
    return h(
      'div',
      {
        class: 'kfnb-runs-actions',
        role: 'toolbar',
        'aria-label': trans.__('Chosen runs')
      },
      ...this.one,
      ...this.any
    );
  }

  private choose(ids: readonly string[]): void {
    this.chosen = ids;
    for (const button of this.one) {
      button.toggleAttribute('disabled', ids.length !== 1);
    }
    for (const button of this.any) {
      button.toggleAttribute('disabled', ids.length === 0);
    }
  }

  private async answer(message: ToKernel): Promise<void> {
    try {
      if (message.kind === 'runs') {
        const { path } = this.open.host;
        const { runs, cursor } = await listRuns(message.all ? null : path);
        this.runs = runs;
        this.list.show({ kind: 'runs', runs, more: cursor === null ? 0 : 1 });
      } else if (message.kind === 'compare') {
        this.compare.show(await compareRuns(message.runs));
      }
    } catch (error) {
      await showErrorMessage(
        this.session.trans.__('The runs cannot be shown'),
        error as Error
      );
    }
  }

  private showRun(): void {
    this.open.book.follow(this.chosen[0] ?? null);
  }

  private async again(): Promise<void> {
    const run = this.runs.find(one => one.id === this.chosen[0]);
    if (run) {
      await start(this.session, this.open, { parameters: run.parameters });
      this.list.refresh();
    }
  }

  private async remove(): Promise<void> {
    const { trans } = this.session;
    const { chosen } = this;
    const answer = await showDialog({
      title: trans._n('Delete %1 run?', 'Delete %1 runs?', chosen.length),
      body: trans.__(
        'Their logs, metrics and executed notebooks are deleted; the notebook stays.'
      ),
      buttons: [
        Dialog.cancelButton(),
        Dialog.warnButton({ label: trans.__('Delete') })
      ]
    });
    if (!answer.button.accept) {
      return;
    }
    try {
      for (const id of chosen) {
        await removeRun(id);
        if (this.open.book.run?.id === id) {
          this.open.book.follow(null);
        }
      }
    } catch (error) {
      await showErrorMessage(trans.__('A run was not deleted'), error as Error);
    }
    this.list.choose([]);
    this.choose([]);
    this.list.refresh();
  }

  /** Requests the list again when the notebook's own runs changed. */
  private readonly follow = (): void => {
    const news = this.open.book.runs.map(run => run.id + run.status).join();
    if (news !== this.news) {
      this.news = news;
      this.list.refresh();
    }
  };

  private readonly view: HTMLElement;
  private readonly list: RunList;
  private readonly compare: CompareView;
  private one: HTMLElement[] = [];
  private any: HTMLElement[] = [];
  private runs: readonly ListedRun[] = [];
  private chosen: readonly string[] = [];
  private news = '';
}

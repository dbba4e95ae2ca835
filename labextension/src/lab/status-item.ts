import { Signal } from '@lumino/signaling';
import { Widget } from '@lumino/widgets';
import { fill, h } from '../dom';
import { glyph } from '../status';
import type { Session } from './session';

/** How many runs of open notebooks go on, and how many have failed. */
export class StatusItem extends Widget {
  readonly activeChanged = new Signal<this, void>(this);
  counts = '';

  constructor(
    private readonly session: Session,
    onClick: () => void
  ) {
    super();
    this.addClass('kfnb-status-item');
    this.button.addEventListener('click', onClick);
    this.node.append(this.button);
    session.changed.connect(() => this.refresh());
  }

  private refresh(): void {
    const states = this.session.all.map(({ book }) => book.state?.status);
    const running = states.filter(
      one => one === 'running' || one === 'pending'
    ).length;
    const failed = states.filter(one => one === 'failed').length;
    const counts = running || failed ? `${running}/${failed}` : '';
    if (counts === this.counts) {
      return;
    }
    this.counts = counts;
    const { trans } = this.session;
    this.button.setAttribute(
      'aria-label',
      trans.__('Pipelines: %1 running, %2 failed', running, failed)
    );
    fill(
      this.button,
      running ? glyph('running') : null,
      running ? String(running) : null,
      failed ? glyph('failed') : null,
      failed ? String(failed) : null
    );
    this.activeChanged.emit();
  }

  private readonly button = h('button', { class: 'kfnb-status-button' });
}

/** The header of a view: pipeline, run, status, and buttons to stop or resume the run. */

import type { Component, Context } from '../context';
import { fill, h } from '../dom';
import { clock, duration, plain, visible } from '../format';
import type { RunInfo, StepStatus } from '../protocol';
import { glyph, STATUSES, word } from '../status';
import type { PanelModel } from './model';

type Command = 'stop' | 'resume';

/** The name of the command that starts a new run; it needs no confirmation. */
const AGAIN = 'run-again';

/** Most compared runs that are named; the rest is counted. */
const MOST_NAMED = 8;

export class Header implements Component {
  readonly node: HTMLElement;
  /** The number of steps by status, shown beside the tabs. */
  readonly counts = h('ul', { class: 'kfnb-counts' });

  constructor(
    host: HTMLElement,
    private readonly context: Context,
    private readonly model: PanelModel
  ) {
    const { trans } = context;
    this.counts.setAttribute('aria-label', trans('Steps by status'));
    this.stop = this.button('Stop', 'stop');
    this.resume = this.button('Resume', 'resume');
    this.resume.title = trans(
      'Continues this run with the notebook as it was when the run started: the old code'
    );
    this.again.textContent = trans('Run again');
    this.again.title = trans(
      'Starts a new run with the saved notebook; what did not change comes from the cache'
    );
    this.again.addEventListener('click', () =>
      context.post({ kind: 'command', name: AGAIN })
    );
    this.node = h(
      'header',
      { class: 'kfnb-header' },
      h(
        'div',
        { class: 'kfnb-title' },
        this.status,
        this.name,
        this.elapsed,
        h('span', { class: 'kfnb-space' }),
        this.stop,
        this.again,
        this.resume
      ),
      this.facts,
      this.asking,
      this.strip
    );
    host.append(this.node);
    this.update();
  }

  update(): void {
    const { model, context } = this;
    const { state } = model;
    const stamp = JSON.stringify([model.graph.name, state?.status, model.lost]);
    if (stamp !== this.lastStamp) {
      this.lastStamp = stamp;
      this.name.textContent = visible(model.graph.name);
      this.name.title = visible(model.graph.notebook ?? '');
      const status = model.lost ? 'cancelled' : (state?.status ?? '');
      fill(
        this.status,
        state && glyph(status),
        state &&
          h(
            'span',
            {},
            model.lost ? context.trans('Lost') : word(state.status, context)
          )
      );
      this.status.hidden = !state;
      this.status.dataset.status = status;
    }
    this.updateRuns();
    this.count();
    const canStop = model.live;
    const canResume =
      !model.cut &&
      (model.lost ||
        state?.status === 'failed' ||
        state?.status === 'cancelled');
    this.stop.hidden = !canStop || this.asked !== null;
    this.resume.hidden = !canResume || this.asked !== null;
    // Also after a success: a cell may have been edited since.
    const canRun =
      !model.cut && !!model.graph.notebook && !model.live && !!state;
    this.again.hidden = !canRun || this.asked !== null;
    this.again.classList.toggle('kfnb-primary', canResume);
    if (
      (this.asked === 'stop' && !canStop) ||
      (this.asked === 'resume' && !canResume)
    ) {
      this.settle();
    }
    this.tick();
    this.watch();
  }

  dispose(): void {
    clearInterval(this.timer);
    this.node.remove();
  }

  private updateRuns(): void {
    const { run, others } = this.model;
    const known = others.join('\n');
    if (run === this.shownRun && known === this.beside) {
      return;
    }
    this.shownRun = run;
    this.beside = known;
    const { trans } = this.context;
    const parts: (Node | string)[] = [];
    if (run) {
      parts.push(
        h('code', { class: 'kfnb-run', title: trans('Run') }, visible(run.id))
      );
      if (run.title !== '') {
        parts.unshift(h('span', {}, visible(run.title)));
      }
      parts.push(h('span', {}, clock(run.created)));
      if (run.target !== 'local') {
        parts.push(h('span', {}, `${trans('on')} ${visible(run.target)}`));
      }
      if (others.length > 0) {
        parts.push(this.with(others));
      }
      // Beside several runs they could be mistaken for parameters of all of them.
      const own = others.length > 0 ? {} : run.parameters;
      for (const [name, value] of Object.entries(own)) {
        const text = `${visible(name)} = ${plain(value)}`;
        parts.push(h('code', { class: 'kfnb-parameter', title: text }, text));
      }
    } else if (this.model.graph.notebook !== null) {
      parts.push(h('span', {}, visible(this.model.graph.notebook)));
    }
    fill(this.facts, ...parts);
    this.facts.hidden = parts.length === 0;
  }

  private with(others: readonly string[]): HTMLElement {
    const shown = others.slice(0, MOST_NAMED);
    const more = others.length - shown.length;
    return h(
      'span',
      { class: 'kfnb-others', title: others.join('\n') },
      `${this.context.trans('with')} `,
      ...shown.flatMap((label, n) => [
        n > 0 ? ', ' : '',
        h('code', { class: 'kfnb-run' }, label)
      ]),
      more > 0 ? ` ${this.context.trans('and')} ${more}` : ''
    );
  }

  private count(): void {
    const { model, context } = this;
    const numbers = new Map<StepStatus, number>();
    for (const { id } of model.graph.nodes) {
      const status = model.steps[id]?.status;
      if (status === undefined) {
        continue;
      }
      numbers.set(status, (numbers.get(status) ?? 0) + 1);
    }
    const all = JSON.stringify([
      ...numbers,
      model.graph.nodes.length,
      !model.state
    ]);
    if (all === this.counted) {
      return;
    }
    this.counted = all;
    const statuses = STATUSES.filter(status => numbers.has(status));
    this.counts.toggleAttribute('data-many', statuses.length > 3);
    fill(
      this.counts,
      ...statuses.map(status =>
        h(
          'li',
          { 'data-status': status, title: word(status, context) },
          glyph(status),
          String(numbers.get(status) ?? 0),
          h('span', { class: 'kfnb-word' }, word(status, context).toLowerCase())
        )
      )
    );
    if (!model.state) {
      const { length } = model.graph.nodes;
      const text = `${length} ${context.trans(length === 1 ? 'step' : 'steps')}`;
      fill(this.counts, h('li', {}, text));
    }
    const order: readonly StepStatus[] = [
      'succeeded',
      'cached',
      'failed',
      'cancelled',
      'skipped',
      'running'
    ];
    this.strip.hidden = !model.state;
    fill(
      this.strip,
      // An empty piece would take room too: the bar would not reach its end.
      ...[...order, null]
        .map(status => piece(status, numbers.get(status ?? 'pending') ?? 0))
        .filter(made => made !== null)
    );
  }

  private button(label: string, command: Command): HTMLButtonElement {
    const text = this.context.trans(label);
    const made = h(
      'button',
      { type: 'button', class: 'kfnb-button', hidden: true },
      text
    );
    made.addEventListener('click', () => this.ask(command));
    return made;
  }

  private ask(command: Command): void {
    const { trans } = this.context;
    const stop = command === 'stop';
    const question = stop
      ? trans(
          'Stop this run? Running steps are ended; finished steps keep their results.'
        )
      : trans(
          'Resume executes the old code: this run continues with the notebook as it was when the run started. To include your edits, choose “Run again”; finished steps come from the cache.'
        );
    const yes = h(
      'button',
      {
        type: 'button',
        class: `kfnb-button ${stop ? 'kfnb-danger' : 'kfnb-primary'}`
      },
      stop ? trans('Stop the run') : trans('Resume the run')
    );
    const no = h(
      'button',
      { type: 'button', class: 'kfnb-button' },
      stop ? trans('Keep running') : trans('Not now')
    );
    this.asked = command;
    fill(
      this.asking,
      h(
        'div',
        { class: 'kfnb-confirm', role: 'alertdialog', 'aria-label': question },
        h('span', {}, question),
        yes,
        no
      )
    );
    const leave = (): void => {
      this.settle();
      this.update();
      (stop ? this.stop : this.resume).focus();
    };
    yes.addEventListener('click', () => {
      this.context.post({ kind: 'command', name: command });
      leave();
    });
    no.addEventListener('click', leave);
    this.asking.onkeydown = event => {
      if (event.key === 'Escape') {
        event.stopPropagation();
        leave();
      }
    };
    this.update();
    // Enter presses the harmless button.
    no.focus();
  }

  private settle(): void {
    this.asked = null;
    fill(this.asking);
  }

  private watch(): void {
    const going = this.model.live;
    if (going && this.timer === undefined) {
      this.timer = setInterval(() => this.tick(), 1000);
    } else if (!going) {
      clearInterval(this.timer);
      this.timer = undefined;
    }
  }

  private tick(): void {
    const seconds = this.model.elapsed(Date.now() / 1000);
    const going = this.model.live;
    const text =
      seconds === null ? '' : duration(going ? Math.floor(seconds) : seconds);
    if (this.elapsed.textContent !== text) {
      this.elapsed.textContent = text;
    }
  }

  private readonly name = h('bdi', { class: 'kfnb-name' });
  private readonly status = h('span', { class: 'kfnb-status' });
  private readonly elapsed = h('span', { class: 'kfnb-elapsed' });
  private readonly facts = h('div', { class: 'kfnb-facts' });
  private readonly asking = h('div', { class: 'kfnb-asking' });
  private readonly strip = h('div', {
    class: 'kfnb-strip',
    'aria-hidden': 'true'
  });
  private readonly again = h('button', {
    type: 'button',
    class: 'kfnb-button',
    hidden: true
  });
  private readonly stop: HTMLButtonElement;
  private readonly resume: HTMLButtonElement;
  private asked: Command | null = null;
  private shownRun: RunInfo | null | undefined;
  private beside = '';
  private counted = '';
  private lastStamp = '';
  private timer: ReturnType<typeof setInterval> | undefined;
}

/** A piece of the bar for steps of a status, or for those that have not begun. */
function piece(status: StepStatus | null, count: number): HTMLElement | null {
  if (count === 0) {
    return null;
  }
  const made = h('span', { 'data-status': status });
  made.style.flexGrow = String(count);
  return made;
}

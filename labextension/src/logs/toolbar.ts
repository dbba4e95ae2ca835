/** The toolbar above a log: search, follow, wrap, copy. */

import type { Context } from '../context';
import { h } from '../dom';

export interface ToolbarActions {
  search(query: string, matchCase: boolean): void;
  /** Goes to the next match, or to the previous one. */
  step(by: 1 | -1): void;
  follow(on: boolean): void;
  wrap(on: boolean): void;
  copy(): void;
}

export class Toolbar {
  readonly node: HTMLElement;

  constructor(
    { trans }: Context,
    private readonly acts: ToolbarActions,
    lead: HTMLElement | null
  ) {
    this.query = h('input', {
      type: 'search',
      role: 'searchbox',
      class: 'kfnb-log-query',
      placeholder: trans('Find in the log'),
      'aria-label': trans('Find in the log'),
      spellcheck: 'false',
      autocomplete: 'off'
    });
    this.previous = button('↑', trans('Previous match'), () => acts.step(-1));
    this.next = button('↓', trans('Next match'), () => acts.step(1));
    this.matchCase = button('Aa', trans('Match case'), () => {
      toggle(this.matchCase, 'aria-pressed');
      this.search();
    });
    this.matchCase.setAttribute('aria-pressed', 'false');
    this.follow = switched(trans('Follow'), true, on => acts.follow(on));
    this.follow.title = trans('Stays at the end while the log grows');
    const wrap = switched(trans('Wrap'), false, on => acts.wrap(on));
    wrap.title = trans('Breaks long lines instead of scrolling to the side');
    const copy = h(
      'button',
      { type: 'button', class: 'kfnb-button' },
      trans('Copy')
    );
    copy.title = trans('Copies the log as it is shown, without colours');
    copy.addEventListener('click', () => acts.copy());
    this.query.addEventListener('input', () => this.search());
    this.query.addEventListener('keydown', event => {
      if (event.key === 'Enter' && !event.isComposing) {
        event.preventDefault();
        event.stopPropagation(); // otherwise Shift+Enter would run the notebook's cell
        acts.step(event.shiftKey ? -1 : 1);
      }
    });
    this.node = h(
      'div',
      { class: 'kfnb-log-bar' },
      lead,
      h(
        'div',
        { class: 'kfnb-log-search', role: 'search' },
        this.query,
        this.matchCase,
        this.previous,
        this.next,
        this.count
      ),
      // The choice at the beginning names the attempt too.
      lead === null && this.attempt,
      h('div', { class: 'kfnb-log-ways' }, this.follow, wrap, copy)
    );
    this.showCount('', false);
  }

  /** Shows the number of matches; `some` enables the buttons. */
  showCount(count: string, some: boolean): void {
    if (this.count.textContent !== count) {
      this.count.textContent = count;
    }
    this.previous.disabled = !some;
    this.next.disabled = !some;
  }

  /** Shows the attempt, if there are several. */
  showAttempt(attempt: string): void {
    this.attempt.textContent = attempt;
  }

  following(on: boolean): void {
    this.follow.setAttribute('aria-checked', String(on));
  }

  private search(): void {
    this.acts.search(
      this.query.value,
      this.matchCase.getAttribute('aria-pressed') === 'true'
    );
  }

  private readonly query: HTMLInputElement;
  private readonly matchCase: HTMLButtonElement;
  private readonly previous: HTMLButtonElement;
  private readonly next: HTMLButtonElement;
  private readonly follow: HTMLButtonElement;
  private readonly count = h('span', {
    class: 'kfnb-log-count',
    role: 'status'
  });
  private readonly attempt = h('span', { class: 'kfnb-log-attempt' });
}

function button(
  sign: string,
  name: string,
  act: () => void
): HTMLButtonElement {
  const made = h(
    'button',
    {
      type: 'button',
      class: 'kfnb-button kfnb-log-sign',
      'aria-label': name,
      title: name
    },
    sign
  );
  made.addEventListener('click', act);
  return made;
}

function switched(
  name: string,
  on: boolean,
  act: (on: boolean) => void
): HTMLButtonElement {
  const made = h(
    'button',
    {
      type: 'button',
      class: 'kfnb-log-switch',
      role: 'switch',
      'aria-checked': String(on)
    },
    h('span', { class: 'kfnb-log-knob', 'aria-hidden': 'true' }),
    name
  );
  made.addEventListener('click', () => act(toggle(made, 'aria-checked')));
  return made;
}

function toggle(element: HTMLElement, attribute: string): boolean {
  const on = element.getAttribute(attribute) !== 'true';
  element.setAttribute(attribute, String(on));
  return on;
}

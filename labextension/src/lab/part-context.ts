/** What the parts that the views of a notebook share ask of their host: here JupyterLab. */

import { Value, type Context } from '../context';
import { pageTheme } from '../theme';
import type { Session } from './session';

export function partContext({ trans }: Session): Context {
  return {
    trans: text => trans.__(text),
    theme: pageTheme(),
    busy: new Value(false),
    waiting: '',
    open: null,
    goTo: null,
    post: () => undefined
  };
}

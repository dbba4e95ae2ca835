import * as React from 'react';
import type { StepState } from '../../protocol';
import { fraction, glyph } from '../../status';

/** The shape of a step's status, as all views draw it. */
export function StatusGlyph({
  state
}: {
  readonly state: { readonly status: string } | StepState;
}): React.JSX.Element {
  const host = React.useRef<HTMLSpanElement>(null);
  const done =
    state.status === 'running' && 'cells_total' in state
      ? fraction(state)
      : null;
  React.useEffect(() => {
    host.current?.replaceChildren(glyph(state.status, done));
  }, [state.status, done]);
  return <span ref={host} className="kfnb-row-glyph" aria-hidden="true" />;
}

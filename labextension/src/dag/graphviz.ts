/** Graphviz as WebAssembly, from within the bundle: nothing is fetched. */

import { Graphviz } from '@hpcc-js/wasm-graphviz';

let loaded: Promise<Graphviz> | undefined;

/** Lays DOT out; gives Graphviz's `json0`. */
export async function graphviz(dot: string): Promise<string> {
  loaded ??= Graphviz.load();
  // The package's types do not list the format, its Graphviz knows it: `json` without the strokes.
  return (await loaded).layout(dot, 'json0' as 'json', 'dot');
}

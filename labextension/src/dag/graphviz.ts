/** Graphviz as WebAssembly, which is part of the bundle, so that nothing is fetched. */

import { Graphviz } from '@hpcc-js/wasm-graphviz';

let loaded: Promise<Graphviz> | undefined;

/** Lays DOT out and returns Graphviz's `json0`. */
export async function graphviz(dot: string): Promise<string> {
  loaded ??= Graphviz.load();
  // The package's types do not list `json0`, which is `json` without drawing operations.
  return (await loaded).layout(dot, 'json0' as 'json', 'dot');
}

/** The second script of the views: Graphviz, for a worker, or for a page that may have none. */

import { graphviz } from '../dag/graphviz';
import { inWorker, serve } from '../dag/layouter';

if (inWorker()) {
  serve(graphviz);
}

export { graphviz };

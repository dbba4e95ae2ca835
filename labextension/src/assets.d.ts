/** Style sheets are imported as text; see build.mjs. */
declare module '*.css' {
  const text: string;
  export default text;
}

/** Notebooks are imported as JSON. */
declare module '*.ipynb' {
  import type { PartialJSONObject } from '@lumino/coreutils';
  const notebook: PartialJSONObject;
  export default notebook;
}

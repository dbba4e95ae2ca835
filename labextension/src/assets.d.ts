/** Style sheets are imported as text; see build.mjs. */
declare module '*.css' {
  const text: string;
  export default text;
}

/** The version of package.json; see build.mjs. */
declare const KFNB_VERSION: string;

/** Notebooks are imported as JSON. */
declare module '*.ipynb' {
  import type { PartialJSONObject } from '@lumino/coreutils';
  const notebook: PartialJSONObject;
  export default notebook;
}

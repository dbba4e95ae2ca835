import { LabIcon } from '@jupyterlab/ui-components';

/** Three connected steps. */
export const pipelineIcon = new LabIcon({
  name: 'kfnb:pipeline',
  svgstr:
    '<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 24 24">' +
    '<g class="jp-icon3" fill="#616161"><circle cx="7" cy="4.5" r="3"/>' +
    '<circle cx="7" cy="19.5" r="3"/><circle cx="17.5" cy="12" r="3"/>' +
    '<path d="M6 6h2v12H6z"/>' +
    '<path d="M7 8c0 3 3 5 8 5v-2c-4 0-6-1-6-3z"/></g></svg>'
});

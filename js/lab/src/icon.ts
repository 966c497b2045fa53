// The panel's icon: a stack of data with a lens.
import { LabIcon } from "@jupyterlab/ui-components";

const SVG = `<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 24 24">
  <g class="jp-icon3" fill="#616161">
    <path d="M11 2C6.6 2 3 3.3 3 5v12c0 1.7 3.4 3 7.6 3l.4-.02V18C7.6 18 5 17.2 5 16.7v-2.5c1.3.6 3 .98 4.8 1.06A7 7 0 0 1 10 13.3c-2.7-.1-5-.9-5-1.5V9.2C6.5 9.9 8.7 10.3 11 10.3c.6 0 1.3 0 1.9-.1A6.5 6.5 0 0 1 19 8.1V5c0-1.7-3.6-3-8-3zm0 2c3.6 0 6 .8 6 1.2S14.600 6.500 11 6.500 5 5.700 5 5.200 7.400 4 11 4z"/>
    <path d="M16.500 10a5.500 5.500 0 1 0 3 10.100l2.200 2.200 1.400-1.400-2.200-2.200A5.500 5.500 0 0 0 16.500 10zm0 2a3.500 3.500 0 1 1 0 7 3.500 3.500 0 0 1 0-7z"/>
  </g>
</svg>`;

export const dataIcon = new LabIcon({ name: "nearfield:data", svgstr: SVG });

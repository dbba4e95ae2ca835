// Builds the widget's three files: kfnb/widgets/static/{engine,layout,loader}.js.
import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import esbuild from 'esbuild';

const here = path.dirname(fileURLToPath(import.meta.url));
const target = path.join(here, '..', 'kfnb', 'widgets', 'static');
const LARGEST_LOADER = 3072;

/** `import css from '../../style/index.css'` gives the bundled style sheet as text. */
const styles = {
  name: 'styles',
  setup(build) {
    build.onLoad(
      { filter: /style[\\/](lab[\\/])?index\.css$/ },
      async ({ path: file }) => {
        const sheet = await esbuild.build({
          entryPoints: [file],
          bundle: true,
          minify: true,
          write: false,
          metafile: true
        });
        return {
          contents: sheet.outputFiles[0].text,
          loader: 'text',
          watchFiles: Object.keys(sheet.metafile.inputs).map(name =>
            path.resolve(name)
          )
        };
      }
    );
  }
};

/** What of other people's work is in the bundle; their licences want to be told. */
async function licences() {
  const folder = path.join(here, 'node_modules', '@hpcc-js', 'wasm-graphviz');
  const engine = JSON.parse(
    await readFile(path.join(folder, 'package.json'), 'utf8')
  );
  return [
    `layout.js contains ${engine.name} ${engine.version} (licence below), which contains Graphviz`,
    '(graphviz.org, Eclipse Public License 1.0, eclipse.org/legal/epl-v10.html; its source',
    'is at gitlab.com/graphviz/graphviz) and Expat (MIT licence).',
    '',
    await readFile(path.join(folder, 'LICENSE'), 'utf8')
  ].join('\n');
}

const { version } = JSON.parse(
  await readFile(path.join(here, 'package.json'), 'utf8')
);

const options = {
  absWorkingDir: here,
  define: { KFNB_VERSION: JSON.stringify(version) },
  bundle: true,
  format: 'esm',
  target: 'es2022',
  minify: true,
  charset: 'utf8',
  legalComments: 'none',
  logLevel: 'info',
  plugins: [styles],
  entryPoints: {
    engine: 'src/widget/engine.ts',
    layout: 'src/widget/layout.ts',
    loader: 'src/widget/loader.ts'
  },
  outdir: target
};

/** JupyterLab's extension: what JupyterLab shares is left to its own builder. */
const lab = {
  ...options,
  entryPoints: { index: 'src/lab/index.ts' },
  outdir: path.join(here, 'lib'),
  external: ['@jupyterlab/*', '@lumino/*', 'react'],
  jsx: 'transform',
  loader: { '.ipynb': 'json' },
  splitting: true,
  chunkNames: '[name]-[hash]',
  minify: false
};

const [flag] = process.argv.slice(2);
if (flag === '--clean') {
  await rm(target, { recursive: true, force: true });
  await rm(lab.outdir, { recursive: true, force: true });
} else if (flag === '--watch') {
  const context = await esbuild.context(options);
  await context.watch();
} else {
  await mkdir(target, { recursive: true });
  await esbuild.build(options);
  // A chunk of an earlier build would be published too.
  await rm(lab.outdir, { recursive: true, force: true });
  await esbuild.build(lab);
  await writeFile(path.join(target, 'LICENSES.txt'), await licences());
  const { size } = await stat(path.join(target, 'loader.js'));
  if (size > LARGEST_LOADER) {
    throw new Error(
      `loader.js has ${size} bytes; every view carries it, so at most ${LARGEST_LOADER}`
    );
  }
}

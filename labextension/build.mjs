// Builds the widget's two files: kfnb/widgets/static/{engine,loader}.js.
import { mkdir, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import esbuild from 'esbuild';

const here = path.dirname(fileURLToPath(import.meta.url));
const target = path.join(here, '..', 'kfnb', 'widgets', 'static');

/** `import css from '../../style/index.css'` gives the bundled style sheet as text. */
const styles = {
  name: 'styles',
  setup(build) {
    build.onLoad(
      { filter: /style[\\/]index\.css$/ },
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

const options = {
  absWorkingDir: here,
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
    loader: 'src/widget/loader.ts'
  },
  outdir: target
};

const [flag] = process.argv.slice(2);
if (flag === '--clean') {
  await rm(target, { recursive: true, force: true });
} else if (flag === '--watch') {
  const context = await esbuild.context(options);
  await context.watch();
} else {
  await mkdir(target, { recursive: true });
  await esbuild.build(options);
  const loader = await readFile(path.join(target, 'loader.js'));
  if (loader.length > 3072) {
    throw new Error(
      `loader.js has ${loader.length} bytes; every saved view carries it: at most 3072`
    );
  }
}

// TypeScript for jest, by the same esbuild that makes the bundles; types are tsc's business.
const esbuild = require('esbuild');

module.exports = {
  process(source, path) {
    const loader = path.endsWith('.css') ? 'text' : 'ts';
    const { code } = esbuild.transformSync(source, {
      loader,
      format: 'cjs',
      target: 'es2022',
      sourcefile: path,
      sourcemap: 'inline'
    });
    return { code };
  }
};

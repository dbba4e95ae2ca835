// TypeScript for jest, by the same esbuild that makes the bundles; types are tsc's business.
const esbuild = require('esbuild');

module.exports = {
  process(source, path) {
    const { code } = esbuild.transformSync(source, {
      loader: path.endsWith('.css')
        ? 'text'
        : path.endsWith('.ts')
          ? 'ts'
          : 'js',
      format: 'cjs',
      target: 'es2022',
      define: { 'import.meta.url': '"test:engine"', KFNB_VERSION: '"1.0"' },
      sourcefile: path,
      sourcemap: path.endsWith('.ts') ? 'inline' : false
    });
    return { code };
  }
};

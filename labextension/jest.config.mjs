export default {
  testEnvironment: 'jsdom',
  roots: ['<rootDir>/test'],
  testMatch: ['**/*.spec.ts'],
  setupFiles: ['<rootDir>/test/setup.ts'],
  transform: {
    '\\.(ts|css)$': '<rootDir>/test/transform.cjs',
    '@hpcc-js.+\\.js$': '<rootDir>/test/transform.cjs'
  },
  transformIgnorePatterns: ['/node_modules/(?!@hpcc-js/)'],
  moduleFileExtensions: ['ts', 'js', 'mjs', 'json'],
  restoreMocks: true
};

export default {
  testEnvironment: 'jsdom',
  roots: ['<rootDir>/test'],
  testMatch: ['**/*.spec.ts'],
  transform: { '\\.(ts|css)$': '<rootDir>/test/transform.cjs' },
  moduleFileExtensions: ['ts', 'js', 'mjs', 'json'],
  restoreMocks: true
};

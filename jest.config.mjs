// ES modules through swc: a CommonJS transform cannot load packages that are ES modules only (jose).
export default {
  testEnvironment: 'node',
  // Most suites wait for daemons, timers and namespaces rather than compute.
  maxWorkers: 2,
  setupFiles: ['<rootDir>/test/support/fixed-seed.mjs'],
  testSequencer: '<rootDir>/test/support/longest-first.mjs',
  testMatch: ['<rootDir>/test/**/*.test.ts'],
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      { jsc: { target: 'es2023', parser: { syntax: 'typescript' } }, module: { type: 'es6' } },
    ],
  },
  // The Functions worker injects this module at run time; the lab's in-process host supplies its own.
  moduleNameMapper: { '^@azure/functions-core$': '<rootDir>/infra/lab/host/functions-core.ts' },
};

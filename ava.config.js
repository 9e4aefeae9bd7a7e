import { basename } from 'node:path'
import { startOrder } from './test/together.ts'

export default {
  extensions: ['ts'],
  files: ['test/**/*.test.ts', 'test/**/*.suite.ts', 'test/together/*.ts', 'test/page/screenshots.ts'],
  require: ['./test/kept-keys.ts', './test/leaks.ts'],
  // Nearly all that a test makes is garbage a moment later. With V8's small default, the tests of the mint took a fifth more of a core.
  nodeArguments: ['--max-semi-space-size=32'],
  workerThreads: false,
  timeout: '2m',
  environmentVariables: { NODE_COMPILE_CACHE: 'node_modules/.cache/node' },
  // A fourth process on two cores cost the others more than it did meanwhile: their code and data left the caches.
  concurrency: 3,
  sortTestFiles: (a, b) => startOrder(basename(a)) - startOrder(basename(b)) || (a < b ? -1 : 1),
}

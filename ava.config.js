import { basename } from 'node:path'
import { startOrder } from './test/together.ts'

export default {
  extensions: ['ts'],
  files: ['test/**/*.test.ts', 'test/**/*.suite.ts', 'test/together/*.ts', 'test/page/screenshots.ts'],
  require: ['./test/kept-keys.ts', './test/leaks.ts'],
  workerThreads: false,
  timeout: '2m',
  environmentVariables: { NODE_COMPILE_CACHE: 'node_modules/.cache/node' },
  concurrency: 4,
  sortTestFiles: (a, b) => startOrder(basename(a)) - startOrder(basename(b)) || (a < b ? -1 : 1),
}

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { build, type Language } from '../language.ts'
import { type Client, pathOf } from '../probe.ts'

const CACHE = join(import.meta.dirname, '.cache')
const CLASSPATH = join(CACHE, 'classpath')

const client: Client = {
  name: 'google-auth-library-oauth2-http',
  /** Java reads arguments from a file: the class path is known only once Maven has run. */
  command: [pathOf('java'), `@${join(CACHE, 'arguments')}`],
  steps: [
    ...(['detection', 'project', 'account', 'accessToken', 'scopes', 'idToken', 'bareIdToken', 'universe'] as const),
    ...(['verified', 'refused'] as const),
  ],
}

export const java: Language = {
  name: 'Java',
  needs: ['javac', 'java', 'mvn'],
  async prepare(isNewest) {
    const version = isNewest ? ['-Dauth.version=LATEST'] : []
    const goal = ['dependency:build-classpath', `-Dmdep.outputFile=${CLASSPATH}`]
    await build('java', {}, 'mvn', '--batch-mode', '--quiet', ...version, ...goal)
    const classpath = `${readFileSync(CLASSPATH, 'utf8').trim()}:${CACHE}`
    await build('java', {}, 'javac', '-cp', classpath, '-d', CACHE, '-nowarn', 'Probe.java')
    writeFileSync(join(CACHE, 'arguments'), `-cp ${classpath} Probe`)
  },
  clients: [client],
}

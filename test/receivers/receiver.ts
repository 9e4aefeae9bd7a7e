/** Google's verifiers, each in a process of its own, which has the variable of its language and no other. */

import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { buildGo, installJava, installNode, installPython } from './installs.ts'
import type { Network } from './network.ts'
import { codeOf } from './page.ts'
import { AUDIENCE, type Server } from './server.ts'

const run = promisify(execFile)
const HERE = import.meta.dirname

export interface Verdict {
  accepted?: Record<string, unknown>
  /** What was thrown. */
  refused?: string
  /** Of a URL that was called. */
  status?: number
}

export interface Receiver {
  verify(token: string): Promise<Verdict>
  get(url: string): Promise<Verdict>
  close(): Promise<void>
}

export interface Kind {
  title: string
  /** The heading on the page whose lines are run. */
  heading: string
  /** The programs that it needs here. */
  needs: readonly string[]
  /** What is verified with, and its version. */
  made: string
  /** The command, where the page's lines are in the folder; it is built before the network is left. */
  build(folder: string, lines: string): Promise<readonly string[]>
  /** Makes it trust the stand-in. */
  trust(directory: string): Record<string, string>
}

const node = (name: 'node-9' | 'node-11', version: string): Kind => ({
  title: `Node.js, google-auth-library ${version.split('.')[0]}`,
  heading: 'Node.js',
  needs: ['npm'],
  made: `verifyIdToken of google-auth-library ${version}`,
  async build(folder, lines) {
    symlinkSync(join(await installNode(name), 'node_modules'), join(folder, 'node_modules'))
    writeFileSync(join(folder, 'package.json'), '{"type":"module"}')
    cpSync(join(HERE, 'node/main.js'), join(folder, 'main.js'))
    writeFileSync(join(folder, 'verify.js'), lines)
    return [process.execPath, join(folder, 'main.js')]
  },
  trust: (directory) => ({ NODE_EXTRA_CA_CERTS: join(directory, 'certificate.pem') }),
})

const python = (heading: string, made: string): Kind => ({
  title: heading,
  heading,
  needs: ['python3'],
  made,
  async build(folder, lines) {
    const interpreter = await installPython()
    cpSync(join(HERE, 'python/main.py'), join(folder, 'main.py'))
    writeFileSync(join(folder, 'verify.py'), lines)
    return [interpreter, join(folder, 'main.py')]
  },
  trust: (directory) => ({ REQUESTS_CA_BUNDLE: join(directory, 'bundle.pem') }),
})

const GO_PACKAGE = 'google.golang.org/api/idtoken'

const go = (path: string, version: string): Kind => ({
  title: `Go, ${path}`,
  heading: 'Go',
  needs: ['go'],
  made: `Validate of ${path.replace(/(\/credentials)?\/idtoken$/, '')} ${version}`,
  async build(folder, lines) {
    cpSync(join(HERE, 'go'), folder, { recursive: true })
    writeFileSync(join(folder, 'verify.go'), lines.replace(GO_PACKAGE, path))
    await buildGo(folder, join(folder, 'receiver'))
    return [join(folder, 'receiver')]
  },
  trust: (directory) => ({ SSL_CERT_FILE: join(directory, 'bundle.pem') }),
})

const java = (heading: string, made: string): Kind => ({
  title: heading,
  heading,
  needs: ['javac', 'mvn'],
  made,
  async build(folder, lines) {
    const classes = `${await installJava()}:${folder}`
    cpSync(join(HERE, 'java/Main.java'), join(folder, 'Main.java'))
    writeFileSync(join(folder, 'Verify.java'), lines)
    await run('javac', ['-cp', classes, '-d', folder, join(folder, 'Main.java'), join(folder, 'Verify.java')])
    return ['java', '-cp', classes, 'Main']
  },
  trust: (directory) => ({ JAVA_TOOL_OPTIONS: `-Djavax.net.ssl.trustStore=${join(directory, 'truststore.p12')}` }),
})

export const KINDS: readonly Kind[] = [
  node('node-9', '9.15.1'),
  node('node-11', '11.3.4'),
  python('Python', 'verify_oauth2_token of google-auth 2.63.0'),
  python('Python, verify_token', 'verify_token of google-auth 2.63.0'),
  go(GO_PACKAGE, '0.312.0'),
  go('cloud.google.com/go/auth/credentials/idtoken', '0.24.4'),
  java('Java, google-auth-library', 'TokenVerifier of google-auth-library 1.57.0'),
  java('Java, google-api-client', 'GoogleIdTokenVerifier of google-api-client 2.9.0, NetHttpTransport'),
]

/** What is on the page under the heading, where no other lines are given. */
export async function startReceiver(
  kind: Kind,
  network: Network,
  { directory }: Pick<Server, 'directory'>,
  lines = codeOf(kind.heading),
): Promise<Receiver> {
  const folder = mkdtempSync(join(tmpdir(), 'sidemint-receiver-'))
  const command = await kind.build(folder, lines)
  const child = network.start(command, { AUDIENCE, HOME: folder, ...kind.trust(directory) })
  let complaints = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaints += text
  })
  const verdicts = createInterface({ input: child.stdout })
  const exit = once(child, 'exit')
  const ask = async (order: object): Promise<Verdict> => {
    const line = once(verdicts, 'line')
    child.stdin.write(`${JSON.stringify(order)}\n`)
    const [text] = await Promise.race([
      line,
      exit.then(([code]) => Promise.reject(new Error(`the receiver ended with ${code}: ${complaints}`))),
    ])
    return JSON.parse(text)
  }
  return {
    verify: (token) => ask({ token }),
    get: (url) => ask({ url }),
    async close() {
      child.stdin.end()
      await exit
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

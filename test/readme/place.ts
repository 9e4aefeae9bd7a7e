/** A machine of a reader: a fresh clone, a stack of the reader's own beside it, and a shell. */

import { execFile, execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { parse } from 'yaml'
import { readSettingsFile } from '../../src/config/file.ts'
import { settle } from '../../src/config/layers.ts'
import type { Block } from './blocks.ts'

export const ROOT = new URL('../..', import.meta.url).pathname
const SHOP = join(import.meta.dirname, 'shop')

/** What this machine has for its own shell, without what npm puts before it for a script. */
const OWN_PATH = (process.env.PATH ?? '')
  .split(delimiter)
  .filter((folder) => !folder.endsWith(join('node_modules', '.bin')) && !folder.includes('node-gyp-bin'))

export interface Place {
  /** Has `sidemint`, once it is cloned, and the shop. */
  folder: string
  /** Runs the block, or writes and checks it. What it printed. Throws where it does not work as it stands. */
  run(block: Block): Promise<string>
  /** Runs a command of the test's own in the shop. */
  type(text: string): Promise<string>
  close(): Promise<void>
}

/**
 * With a clone and what was installed beside it the shop has the package, and the machine our Node.js; without one the
 * machine has what it has. `sidemint` is on the PATH, as the README's first lines put it there.
 */
export function createPlace(project: string, clone?: string): Place {
  const folder = mkdtempSync(join(tmpdir(), 'sidemint-readme-'))
  const shop = join(folder, 'shop')
  cpSync(join(ROOT, 'examples/compose/service'), join(shop, 'node'), { recursive: true })
  cpSync(SHOP, shop, { recursive: true })
  if (clone !== undefined) {
    symlinkSync(clone, join(folder, 'sidemint'))
    cpSync(join(clone, '../installed'), shop, { recursive: true, verbatimSymlinks: true })
  }
  const ours = clone === undefined ? [] : [dirname(process.execPath)]
  const PATH = [join(folder, 'sidemint/bin'), ...ours, ...OWN_PATH].join(delimiter)
  const { CI: _ci, ...inherited } = process.env
  const env = {
    ...inherited,
    PATH,
    COMPOSE_PROJECT_NAME: project,
    COMPOSE_PROGRESS: 'quiet',
    // Testcontainers would fetch an image of its own, which cleans up.
    TESTCONTAINERS_RYUK_DISABLED: 'true',
  }
  const bash = (text: string, cwd: string) => shell(text, cwd, env)
  return {
    folder,
    type: (text) => bash(text, shop),
    async run(block) {
      const cwd = join(folder, block.folder ?? (block.page === 'README.md' ? '' : 'shop'))
      if (block.file === undefined) return await bash(block.text, cwd)
      const path = join(cwd, block.file)
      mkdirSync(dirname(path), { recursive: true })
      writeFileSync(path, block.text)
      return await check(path, (text) => bash(text, cwd))
    },
    async close() {
      await bash('docker compose down --volumes --timeout 2 --remove-orphans', shop).catch(({ message }) =>
        console.error(message),
      )
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** Installs what the shop needs and the tarball that the clone packs, once: beside the clone, for every place that has it. */
export async function installBeside(clone: string): Promise<void> {
  const folder = join(clone, '../installed')
  mkdirSync(folder)
  cpSync(join(SHOP, 'package.json'), join(folder, 'package.json'))
  const line = `npm pack --silent --pack-destination ${folder} && cd ${folder} && npm install --save-dev --no-audit --no-fund ./*.tgz google-auth-library`
  await shell(line, clone, process.env)
}

/** The shop's Go service is built here, since its image has no compiler. */
export function buildGoService(): void {
  const env = { ...process.env, CGO_ENABLED: '0' }
  execFileSync('go', ['build', '-o', 'service', '.'], { cwd: join(SHOP, 'go'), env, stdio: 'inherit' })
}

/** What a block left in the background ends with it. */
async function shell(text: string, cwd: string, env: NodeJS.ProcessEnv): Promise<string> {
  const whole = `trap 'kill $(jobs -p) 2> /dev/null || :' EXIT\n${text}`
  const ran = promisify(execFile)('bash', ['-eo', 'pipefail', '-c', whole], { cwd, env, maxBuffer: 64 * 1024 * 1024 })
  const { stdout } = await ran.catch(({ code, stdout, stderr }) => {
    throw new Error(`exit ${code}:\n${text}\n${stdout}\n${stderr}`)
  })
  return stdout
}

/** Compose files by Compose, settings files by sidemint, programs by whoever runs them next. */
async function check(path: string, bash: (text: string) => Promise<string>): Promise<string> {
  if (!path.endsWith('.yaml')) return ''
  if (!Object.hasOwn(parse(readFileSync(path, 'utf8'), { logLevel: 'error' }), 'services')) {
    const problems: string[] = []
    const file = await readSettingsFile(path, problems)
    settle(file === undefined ? {} : { file }, problems)
    return ''
  }
  const own = ['compose.yaml', 'compose.override.yaml'].map((name) => `-f ${name}`).join(' ')
  return await bash(`docker compose ${own} ${path.endsWith('compose.override.yaml') ? '' : `-f ${path}`} config`)
}

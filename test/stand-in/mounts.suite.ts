/** A directory of the stand-in that cannot be written to, in file systems of its own. */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { inNamespace, testMounted } from '../mounts.ts'

const root = mkdtempSync(join(tmpdir(), 'sidemint-stand-in-'))
test.after.always(() => rmSync(root, { recursive: true, force: true }))

/** A command that prepares each of the directories, and prints what came of it and what then lies beside it. */
function preparing(directories: readonly string[]): string {
  const program = `const { prepareDirectory } = await import(${JSON.stringify(import.meta.resolve('../../src/stand-in/directory.ts'))})
    const { readdirSync } = await import("node:fs")
    const outcomes = []
    for (const directory of ${JSON.stringify(directories)}) {
      const said = await prepareDirectory({ directory, keyFile: undefined, now: Date.now, warn: () => {} })
        .then(() => "fine", ({ code, message, fix }) => code + ": " + message + " | " + fix)
      outcomes.push({ said, beside: readdirSync(directory.replace(/shown$/, "")) })
    }
    console.log(JSON.stringify(outcomes))`
  return `${process.execPath} --input-type=module --eval '${program}'`
}

testMounted(
  'a disk that is full, a directory that is read-only or of another user: each says what to do',
  async (t) => {
    const base = join(root, 'mounted')
    /** What came of `BASE/NAME/shown`, each in a file system of its own. */
    const outcomes = (as: string, places: Record<string, readonly [mode: string, script: string]>) => {
      const mounted = Object.entries(places).map(
        ([name, [mode, script]]) =>
          `mkdir ${name} && mount -t tmpfs -o ${mode} none ${name} && (cd ${name} && ${script})`,
      )
      const above = `mount -t tmpfs -o mode=755 none ${root} && mkdir ${base} && cd ${base}`
      const prepared = `${as} ${preparing(Object.keys(places).map((name) => join(base, name, 'shown')))}`
      const told: { said: string; beside: string[] }[] = JSON.parse(
        inNamespace([above, ...mounted, prepared].join(' && ')),
      )
      return Object.fromEntries(Object.keys(places).map((name, index) => [name, told[index]]))
    }
    const { full, readOnly } = outcomes('', { full: ['size=8k', 'true'], readOnly: ['ro', 'true'] })
    t.regex(full?.said ?? '', /^STAND_IN_UNUSABLE: .*disk is full \(ENOSPC\) \| make room/)
    t.regex(readOnly?.said ?? '', /^STAND_IN_UNUSABLE: .*read-only \(EROFS\) \| mount the directory/)

    const make = 'mkdir -m 755 shown'
    const own = `${make} && chown 65534 shown`
    const { absent, ofRoot, beside, shut, bundle } = outcomes('setpriv --reuid=65534 --clear-groups', {
      absent: ['mode=755', 'true'],
      ofRoot: ['mode=777', make],
      beside: ['mode=755', own],
      shut: ['mode=777', `${own} && chmod 555 shown`],
      bundle: ['mode=777', `${own} && touch shown/bundle.pem && chmod 600 shown/bundle.pem`],
    })
    const chown = /^STAND_IN_UNUSABLE: .*belongs to the user 0, and this is 65534 \(EACCES\) \| chown 65534 .*user: "0"/
    t.regex(absent?.said ?? '', chown)
    t.regex(ofRoot?.said ?? '', chown)
    t.regex(
      beside?.said ?? '',
      /^STAND_IN_UNUSABLE: .*\.key: .* the user 0, .* \| name a --key-file in a directory that the user 65534 may write to/,
    )
    t.regex(
      shut?.said ?? '',
      /^STAND_IN_UNUSABLE: .*its directory may not be written to \(EACCES\) \| chmod u\+rwx \S+shown$/,
    )
    t.deepEqual(shut?.beside, ['shown'], 'no key that nobody needs')
    t.regex(
      bundle?.said ?? '',
      /^STAND_IN_UNUSABLE: .*bundle\.pem: it belongs to the user 0, and this is 65534 \(EACCES\) \| chown 65534 \S+bundle\.pem, or remove it$/,
    )
  },
)

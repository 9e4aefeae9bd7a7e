import test from 'ava'
import { importsOf, SOURCES } from './imports.ts'

/** From the ground up, by folder. A file imports from its own floor and from those below, and never in a circle. */
const FLOORS = [
  ['core', 'env'],
  ['http'],
  ['observe', 'issuer', 'gate'],
  ['config'],
  ['mint'],
  ['identity'],
  ['metadata', 'stand-in', 'doctor', 'inspector', 'page', 'control'],
  ['server'],
  ['server.ts'],
  ['commands', 'index.ts', 'cli.ts'],
]

/** A library's name, and the only files that may know it. */
const KNOWN_BY: [library: RegExp, files: RegExp][] = [
  [/^(koa|@koa\/router)$/, /^http\//],
  [/^preact/, /^page\//],
  [/^esbuild$/, /^inspector\/bundle\.ts$/],
  [/^prom-client$/, /^observe\/prometheus\.ts$/],
  [/^pino$/, /^observe\/log\.ts$/],
  [/^httpxy$/, /^gate\/upstream\.ts$/],
  [/^google-auth-library/, /^mint\/google\//],
  [/^https-proxy-agent$/, /^http\/agent\.ts$/],
  [/^node-cache$/, /^mint\/cache\.ts$/],
  [/^jsonwebtoken$/, /^(issuer\/keys|gate\/verifier)\.ts$/],
  [/^@peculiar\//, /^(issuer|stand-in)\/(certificate|trust-store)\.ts$/],
  [/^yaml$/, /^core\/yaml\.ts$/],
  [/^@valibot\/to-json-schema$/, /^config\/json-schema\.ts$/],
  [/^valibot$/, /^(core|config|gate|mint|control)\//],
]

const imports = importsOf(SOURCES)
const files = [...imports.keys()]
const ownImports = new Map(
  [...imports].map(([file, all]) => [file, all.flatMap(({ file: imported }) => imported ?? [])] as const),
)

const roomOf = (file: string) => file.split('/')[0] ?? ''
const floorOf = (file: string) => FLOORS.findIndex((rooms) => rooms.includes(roomOf(file)))

test('the files of src are read, and their imports found', (t) => {
  t.true(files.length > 30)
  t.true(ownImports.get('server.ts')?.includes('server/views.ts'))
  t.true(ownImports.get('commands/main.ts')?.includes('commands/serve.ts'), 'lazy imports too')
  t.true(ownImports.get('metadata/surface.ts')?.includes('metadata/tree.ts'), 'imports of several lines too')
})

test('every file of src is in a room', (t) => {
  t.deepEqual(
    files.filter((file) => floorOf(file) < 0),
    [],
  )
})

for (const room of FLOORS.flat()) {
  test(`${room} imports nothing from above its floor`, (t) => {
    const upwards = files
      .filter((file) => roomOf(file) === room)
      .flatMap((file) => (ownImports.get(file) ?? []).map((imported) => [file, imported] as const))
      .filter(([file, imported]) => floorOf(imported) > floorOf(file))
    t.deepEqual(upwards, [])
  })
}

test('every import is of a file that exists', (t) => {
  for (const [file, imported] of ownImports)
    for (const name of imported) t.true(files.includes(name), `${file}: ${name}`)
})

test('no file imports itself by a detour', (t) => {
  const done = new Set<string>()
  const visit = (file: string, path: readonly string[]): void => {
    t.false(path.includes(file), [...path, file].join(' -> '))
    if (done.has(file) || path.includes(file)) return
    for (const imported of ownImports.get(file) ?? []) visit(imported, [...path, file])
    done.add(file)
  }
  for (const file of files) visit(file, [])
  t.is(done.size, files.length)
})

test('each library is known only where it belongs', (t) => {
  for (const [file, all] of imports) {
    for (const { name } of all) {
      for (const [library, allowed] of KNOWN_BY)
        if (library.test(name)) t.regex(file, allowed, `${file} imports ${name}`)
    }
  }
  t.pass()
})

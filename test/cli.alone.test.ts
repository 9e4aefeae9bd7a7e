/** What only a process can show: signals, streams that close, the exit code, the variables that it is started with. */

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { chmod, chown, mkdir, mkdtemp, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises'
import http from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import ava from 'ava'
import { COMPILE_CACHE } from './compile-cache.ts'
import { rsaKeyFile } from './google/keys.ts'
import { ask, DEFAULT_ACCOUNT } from './http-client.ts'

/** One after another: a dozen processes at once on two cores would test the cores. */
const test = ava.serial

const CLI = join(import.meta.dirname, '..', 'src', 'cli.ts')
const AUDIENCE = 'https://a.example'

const ENV = { ...COMPILE_CACHE, PATH: process.env.PATH }
/** For a server: making a key of its own takes it as long as all else. */
const KEY = { SIDEMINT_KEY_FILE: rsaKeyFile() }

const root = await mkdtemp(join(tmpdir(), 'sidemint-cli-'))
const running = new Set<ChildProcess>()
ava.after.always(async () => {
  for (const child of running) child.kill('SIGKILL')
  await rm(root, { recursive: true, force: true })
})

interface Started {
  child: ChildProcess
  out: () => string
  err: () => string
  ended: Promise<[code: number | null, signal: string | null]>
}

const start = (argv: readonly string[], env: Record<string, string> = {}) => startNode([CLI, ...argv], env)

function startNode(argv: readonly string[], env: Record<string, string>, program = process.execPath): Started {
  const child = spawn(program, argv, {
    env: { ...ENV, ...KEY, HOME: root, ...env },
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  running.add(child)
  let [out, err] = ['', '']
  child.stdout.setEncoding('utf8').on('data', (chunk) => {
    out += chunk
  })
  child.stderr.setEncoding('utf8').on('data', (chunk) => {
    err += chunk
  })
  const ended = once(child, 'close').then(([code, signal]) => {
    running.delete(child)
    return [code, signal] as [number | null, string | null]
  })
  return { child, out: () => out, err: () => err, ended }
}

async function until<T>(what: () => T | undefined | false | null | ''): Promise<T> {
  for (const endAt = performance.now() + 15_000; performance.now() < endAt; ) {
    const found = what()
    if (found) return found
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  throw new Error('it did not happen')
}

async function serve(argv: readonly string[] = [], env: Record<string, string> = {}) {
  const started = start(['serve', '--port', '0', ...argv], env)
  const url = await until(() => /http:\/\/127\.0\.0\.1:\d+/.exec(started.err())?.[0])
  return { ...started, url }
}

test('what no code catches is logged without its message, and the server goes on', async (t) => {
  const faulty = join(root, 'faulty.mjs')
  await writeFile(
    faulty,
    `const timer = setInterval(() => {
      if (process.listenerCount('uncaughtException') === 0) return
      clearInterval(timer)
      Promise.reject(Object.assign(new Error('planted secret'), { code: 'EMFILE' }))
      setTimeout(() => { throw new TypeError('planted secret') })
    }, 50)
    timer.unref()`,
  )
  const served = await serve(['--source', 'local'], { NODE_OPTIONS: `--import=${faulty}` })
  await until(() => /INTERNAL.*\(EMFILE\) at .*INTERNAL.*\(TypeError\) at /s.exec(served.err()))
  t.false(served.err().includes('planted secret'))
  t.is((await ask(served.url, `${DEFAULT_ACCOUNT}/identity?audience=${AUDIENCE}`)).status, 200)
  served.child.kill('SIGTERM')
  t.deepEqual(await served.ended, [0, null])
})

test('with room for 64 descriptors, a server that 90 callers asked at once answers afterwards, and SIGINT ends it with 0', async (t) => {
  const served = await serve(['--source', 'local'])
  const limited = spawn('prlimit', ['--pid', String(served.child.pid), '--nofile=64'])
  const [code] = await once(limited, 'exit').catch(() => ['no prlimit here'])
  if (code !== 0) {
    t.log('not tried: there is no prlimit here')
    t.pass()
    return
  }
  const path = `${DEFAULT_ACCOUNT}/identity?audience=${AUDIENCE}`
  const port = Number(new URL(served.url).port)
  let answered = 0
  const sockets = Array.from({ length: 90 }, () => {
    const socket = connect(port, '127.0.0.1')
    socket.on('error', () => {}).once('data', () => (answered += 1))
    socket.write(`GET ${path} HTTP/1.1\r\nHost: a\r\nMetadata-Flavor: Google\r\n\r\n`)
    return socket
  })
  await until(() => answered > 20 && sockets.every((socket) => socket.destroyed || !socket.connecting))
  t.true(answered < 64)
  for (const socket of sockets) socket.destroy()
  // The server has its descriptors back once it has read that they left.
  let status = 0
  for (const endAt = performance.now() + 15_000; status !== 200 && performance.now() < endAt; ) {
    status = await ask(served.url, path).then(
      (reply) => reply.status,
      () => 0,
    )
  }
  t.is(status, 200)
  served.child.kill('SIGINT')
  t.deepEqual(await served.ended, [0, null])
})

test('what points clients elsewhere is taken out of our own process', async (t) => {
  const watching = join(root, 'watching.mjs')
  await writeFile(
    watching,
    `const pointed = Object.keys(process.env).filter((name) => name.startsWith('GCE_METADATA_'))
    process.on('exit', () => console.log(pointed.length, pointed.filter((name) => name in process.env)))`,
  )
  const elsewhere = {
    GCE_METADATA_HOST: '192.0.2.1:1',
    GCE_METADATA_IP: '192.0.2.1:1',
    GCE_METADATA_ROOT: '192.0.2.1:1',
  }
  const started = start(['--version'], { ...elsewhere, NODE_OPTIONS: `--import=${watching}` })
  t.deepEqual(await started.ended, [0, null])
  t.regex(started.out(), /\n3 \[\]\n$/)
})

test('SIGTERM ends serve with 0 within a second, idle, half-asked and kept-alive connections or not', async (t) => {
  const served = await serve()
  const open = [
    '',
    'GET / HTTP/1.1\r\nHost: a\r\n',
    'GET / HTTP/1.1\r\nHost: a\r\n\r\n',
    'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n',
  ]
  for (const bytes of open) {
    const socket = connect(Number(new URL(served.url).port), '127.0.0.1')
    socket.on('error', () => {}).resume()
    await once(socket, 'connect')
    socket.write(bytes)
  }
  t.is((await ask(served.url, `${DEFAULT_ACCOUNT}/identity?audience=${AUDIENCE}`)).status, 200)
  const startedAt = performance.now()
  served.child.kill('SIGTERM')
  t.deepEqual(await served.ended, [0, null])
  t.true(performance.now() - startedAt < 3_000, `took ${performance.now() - startedAt} ms`)
})

test('exec hands signals on but SIGINT, which the terminal sends to the command too', async (t) => {
  const program = `
    for (const signal of ['SIGHUP', 'SIGQUIT', 'SIGINT']) process.on(signal, () => console.log(signal))
    process.on('SIGTERM', () => process.exit(3))
    console.log('up')
    setTimeout(() => {}, 60_000)`
  const started = start(['exec', '--', process.execPath, '-e', program])
  await until(() => started.out().includes('up'))
  for (const signal of ['SIGINT', 'SIGHUP', 'SIGQUIT'] as const) {
    started.child.kill(signal)
    if (signal !== 'SIGINT') await until(() => started.out().includes(signal))
  }
  started.child.kill('SIGTERM')
  t.deepEqual(await started.ended, [3, null])
  t.is(started.out(), 'up\nSIGHUP\nSIGQUIT\n')
})

test('a command of exec that a signal ended is 128 and its number', async (t) => {
  const started = start(['exec', '--', 'sh', '-c', 'kill -QUIT $$'])
  t.deepEqual(await started.ended, [131, null])
})

test('misuse ends the process with 2', async (t) => {
  const started = start(['srve'])
  t.deepEqual(await started.ended, [2, null])
  t.is(started.out(), '')
})

test('a second signal ends the process at once, while the first one still waits for what is in flight', async (t) => {
  const service = http.createServer(() => {}).listen(0, '127.0.0.1')
  await once(service, 'listening')
  t.teardown(() => {
    service.closeAllConnections()
    service.close()
  })
  const upstream = `http://127.0.0.1:${(service.address() as AddressInfo).port}`
  const flags = ['--port=0', '--admin-port=0', '--invoker=allUsers', '--audience=a', '--upstream', upstream]
  const gate = start(['gate', ...flags])
  const url = await until(() => /http:\/\/127\.0\.0\.1:\d+/.exec(gate.err())?.[0])
  void ask(url, '/').catch(() => {})
  await once(service, 'request')
  gate.child.kill('SIGTERM')
  await until(() => gate.err().includes('SIGTERM: stopping'))
  gate.child.kill('SIGINT')
  t.deepEqual(await gate.ended, [null, 'SIGINT'])
})

/** Runs `pipeline` in a shell, where `"$@"` is a command of ours. What it writes to descriptor 3 is `told`. */
function inShell(pipeline: string, argv: readonly string[]) {
  const child = spawn('sh', ['-c', pipeline, 'sh', process.execPath, CLI, ...argv], {
    env: { ...ENV, HOME: root },
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  })
  running.add(child)
  const texts = ['', '', '', '']
  for (const fd of [1, 2, 3]) {
    child.stdio[fd]?.on('data', (chunk) => {
      texts[fd] += chunk
    })
  }
  const ended = once(child, 'close').then(() => running.delete(child))
  return { out: () => texts[1] ?? '', err: () => texts[2] ?? '', told: () => texts[3] ?? '', ended }
}

test('serve goes on when the reader of its log goes away', async (t) => {
  // The shell that writes its number becomes the server; `head` ends after the first line.
  const pipeline = `sh -c 'echo $$ >&3; exec "$@"' sh "$@" 2>&1 | head -1`
  const served = inShell(pipeline, ['serve', '--port=0', '--source=local', '--log-level=debug'])
  const url = await until(() => /http:\/\/127\.0\.0\.1:\d+/.exec(served.out())?.[0])
  for (let time = 0; time < 5; time++) {
    t.is((await ask(url, `${DEFAULT_ACCOUNT}/identity?audience=${AUDIENCE}`)).status, 200)
  }
  process.kill(Number(served.told()), 'SIGTERM')
  await served.ended
  t.is(served.out().trim().split('\n').length, 1)
  t.is(served.err(), '')
})

test('a command of exec keeps its server and its exit code when the reader of the log goes away', async (t) => {
  const program = `
    const writing = setInterval(() => process.stderr.write('is anybody there?\\n'), 5)
    process.stderr.once('error', async () => {
      clearInterval(writing)
      const url = 'http://' + process.env.GCE_METADATA_HOST + '${DEFAULT_ACCOUNT}/identity?audience=a'
      for (let time = 0; time < 5; time++) {
        const { status } = await fetch(url, { headers: { 'Metadata-Flavor': 'Google' } })
        if (status !== 200) process.exit(1)
      }
      process.exit(7)
    })
    process.stderr.on('error', () => {})`
  const argv = ['exec', '--source=local', '--log-level=debug', '--', process.execPath, '-e', program]
  const executed = inShell('{ "$@"; echo $? >&3; } 2>&1 | head -1', argv)
  await executed.ended
  t.is(executed.told(), '7\n')
})

test('data whose reader is gone is no crash', async (t) => {
  const printed = inShell('{ "$@"; echo $? >&3; } | head -c 0', ['--version'])
  await printed.ended
  t.is(printed.told(), '0\n')
  t.is(printed.err(), '')
})

const onLinux = existsSync('/dev/full') ? test : test.skip
onLinux('data that cannot be written is a failure', async (t) => {
  const printed = inShell('"$@" > /dev/full; echo $? >&3', ['--version'])
  await printed.ended
  t.is(printed.told(), '1\n')
  t.regex(printed.err(), /^sidemint: stdout cannot be written: ENOSPC[^\n]+\n$/)
})

test('compiled code is kept where only this user can write, or nowhere', async (t) => {
  const shared = await mkdtemp(join(root, 'shared-'))
  const env = { TMPDIR: shared, NODE_COMPILE_CACHE: '' }
  const home = async (prepare: (cache: string) => unknown = () => {}) => {
    const path = await mkdtemp(join(root, 'home-'))
    const cache = join(path, '.cache', 'sidemint')
    await mkdir(join(path, '.cache'))
    await prepare(cache)
    return { path, compiled: join(cache, 'compiled') }
  }
  const own = await home()
  t.deepEqual(await startNode([CLI, 'srve'], { ...env, HOME: own.path }).ended, [2, null])
  t.is((await stat(own.compiled)).mode & 0o777, 0o700)
  t.is((await readdir(own.compiled)).length, 1)

  const foreign = await mkdtemp(join(root, 'foreign-'))
  const linked = await home((cache) => symlink(foreign, cache))
  const linkedInside = await home(async (cache) => {
    await mkdir(cache)
    await symlink(foreign, join(cache, 'compiled'))
  })
  const open = await home(async (cache) => {
    await mkdir(join(cache, 'compiled'), { recursive: true })
    await chmod(join(cache, 'compiled'), 0o777)
  })
  const isRoot = process.getuid?.() === 0
  const others = await home(async (cache) => {
    await mkdir(join(cache, 'compiled'), { recursive: true, mode: 0o700 })
    if (isRoot) await chown(join(cache, 'compiled'), 65_534, 65_534)
  })
  const none = await home((cache) => writeFile(cache, ''))
  // The command's first step alone, for one after another: the first directory that it took would be the process's.
  const homes = [linked, linkedInside, open, none, ...(isRoot ? [others] : [])].map(({ path }) => path)
  const module = JSON.stringify(import.meta.resolve('../src/commands/compile-cache.ts'))
  const first = `
    const { useCompileCache } = await import(${module})
    for (const HOME of ${JSON.stringify(homes)}) useCompileCache({ HOME })
    const { getCompileCacheDir } = await import('node:module')
    console.log(getCompileCacheDir())`
  const refused = startNode(['--input-type=module', '-e', first], env)
  t.deepEqual(await refused.ended, [0, null])
  t.is(refused.out(), 'undefined\n')
  t.deepEqual(await readdir(foreign), [], 'a link is not followed')
  t.deepEqual(await readdir(open.compiled), [], 'everybody can write there')
  t.deepEqual(await readdir(others.compiled), [], 'somebody else owns it')
  t.is((await readdir(none.path)).length, 1)
  t.deepEqual(await readdir(shared), [], 'nothing in the directory that all users share')
})

test('in a directory that was deleted a command that needs one says so, and how to go on', async (t) => {
  const within = async (...argv: string[]) => {
    const gone = await mkdtemp(join(root, 'gone-'))
    const script = 'cd "$1" && rmdir "$1" && shift && exec "$@"'
    const words = ['-c', script, 'sh', gone, process.execPath, CLI, ...argv]
    const started = startNode(words, {}, 'sh')
    const [code] = await started.ended
    return { gone, code, err: started.err() }
  }
  const { gone, code, err } = await within('serve', '--port=0')
  t.is(code, 1)
  t.true(err.startsWith(`sidemint: DIRECTORY_GONE: the working directory ${gone} is not there any more. Fix: cd `), err)
  t.is((await within('--version')).code, 0)
})

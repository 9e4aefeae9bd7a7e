/** The image by itself: what is in it, who it runs as, how it starts and stops. */

import { execFile } from 'node:child_process'
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import test from 'ava'
import { CLI, docker, evaluate, healthyAfterMs, inspect, ROOT, startEngine, timed } from './docker.ts'

const IMAGE = 'sidemint-test-image'
const CONTAINER = 'sidemint-test-image'
const BASE = 'gcr.io/distroless/nodejs24-debian12:nonroot'
const MEGABYTE = 1_000_000

const config = mkdtempSync(join(tmpdir(), 'sidemint-compose-'))

test.before('build the image', async (t) => {
  // The image's user must be able to read it, as it can a directory of a clone.
  chmodSync(config, 0o755)
  await startEngine()
  t.log(`docker build: ${await timed(docker('build', '--build-arg', 'VERSION=1.2.3', '--tag', IMAGE, '.'))} ms`)
  await docker('rm', '--force', CONTAINER)
})

test.after.always(async () => {
  rmSync(config, { recursive: true, force: true })
  await docker('rm', '--force', CONTAINER)
  await docker('rmi', '--force', IMAGE)
})

test.serial('our layers add less than 15 MB to the base image, and hold dist and nothing else', async (t) => {
  const size = async (image: string) => Number(await docker('image', 'inspect', '--format', '{{.Size}}', image))
  const added = (await size(IMAGE)) - (await size(BASE))
  t.log(`${(added / MEGABYTE).toFixed(2)} MB over the base`)
  t.true(added > 0 && added < 15 * MEGABYTE)
})

test.serial('its labels say what it is', async (t) => {
  const labels = JSON.parse(await docker('image', 'inspect', '--format', '{{json .Config.Labels}}', IMAGE))
  const label = (name: string) => labels[`org.opencontainers.image.${name}`]
  const { name, description, license } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))
  t.deepEqual([label('title'), label('description'), label('licenses')], [name, description, license])
  t.is(label('version'), '1.2.3')
})

test.serial('it has no shell and no package manager', async (t) => {
  await docker('create', '--name', CONTAINER, IMAGE)
  const { stdout } = await promisify(execFile)('sh', ['-c', `docker export ${CONTAINER} | tar -t`], {
    maxBuffer: 64 * MEGABYTE,
  })
  await docker('rm', CONTAINER)
  const files = stdout.split('\n')
  t.true(files.includes(CLI.slice(1)))
  for (const list of ['sbom.cdx.json', 'THIRD-PARTY.txt']) t.true(files.includes(`opt/sidemint/${list}`))
  t.deepEqual(
    files.filter((file) => /(^|\/)(sh|ash|bash|dash|busybox|npm|npx|yarn|apt|dpkg)$/.test(file)),
    [],
  )
  t.deepEqual(
    files.filter(
      (file) =>
        file.startsWith('opt/') &&
        !/^opt\/(sidemint\/(chunks\/(\w+\.js)?|(cli|index)\.js|index\.d\.ts|package\.json|sidemint\.schema\.json|sbom\.cdx\.json|THIRD-PARTY\.txt)?)?$/.test(
          file,
        ),
    ),
    [],
  )
})

test.serial('it is healthy within 5 s of its start with a read-only root, and is not root', async (t) => {
  await docker('run', '--detach', '--read-only', '--name', CONTAINER, IMAGE)
  const deadline = Date.now() + 10_000
  while ((await inspect(CONTAINER)).State.Health?.Status !== 'healthy' && Date.now() < deadline)
    await new Promise((resolve) => setTimeout(resolve, 100))
  const afterMs = healthyAfterMs(await inspect(CONTAINER))
  t.log(`healthy after ${afterMs} ms`)
  t.true(afterMs < 5_000)
  t.is(await evaluate(CONTAINER, 'console.log(process.getuid(), process.getgid())'), '65532 65532')
  const write = "import { writeFileSync } from 'node:fs'; writeFileSync('/opt/sidemint/x', '')"
  await t.throwsAsync(evaluate(CONTAINER, write), { message: /EROFS/ })
})

test.serial('it mints without any setting, as the address that clients know', async (t) => {
  const token = ['sidemint', 'token', '--audience', 'https://a.example', '--claims']
  const claims = JSON.parse(await docker('exec', CONTAINER, ...token))
  t.is(claims.aud, 'https://a.example')
  t.is(claims.iss, 'http://metadata.google.internal')
})

test.serial('its commands are there by name, with the server in the container as their own', async (t) => {
  const found = JSON.parse(await docker('exec', CONTAINER, 'sidemint', 'doctor', '--json')) as { what: string }[]
  t.true(found.some(({ what }) => /^a sidemint answers at http:\/\/127\.0\.0\.1/.test(what)))
  t.is(await docker('exec', CONTAINER, 'sidemint', 'healthcheck'), '')
})

test.serial('SIGTERM stops it with exit code 0 within a second', async (t) => {
  const stoppedAfterMs = await timed(docker('stop', CONTAINER))
  t.log(`docker stop: ${stoppedAfterMs} ms`)
  // The engine's own part of a stop takes 100 to 300 ms.
  t.true(stoppedAfterMs < 1_300)
  t.is((await inspect(CONTAINER)).State.ExitCode, 0)
})

const start = (...args: readonly string[]) => docker('run', '--rm', '--volume', `${config}:/etc/sidemint:ro`, ...args)

test.serial('a settings file in the mounted directory is read: what is wrong in it is exit code 2', async (t) => {
  writeFileSync(join(config, 'sidemint.yaml'), 'prot: 1\n')
  const error = await t.throwsAsync<Error & { code: number }>(start(IMAGE))
  t.is(error?.code, 2)
  t.regex(error?.message ?? '', /sidemint\.yaml: prot: unknown setting \(did you mean port\?\)/)
})

test.serial('a settings file that is named and missing is exit code 2', async (t) => {
  const error = await t.throwsAsync<Error & { code: number }>(
    start('--env', 'SIDEMINT_CONFIG=/etc/sidemint/none.yaml', IMAGE),
  )
  t.is(error?.code, 2)
  t.regex(error?.message ?? '', /none\.yaml: cannot be read \(ENOENT\)/)
})

test.serial('its health check fails where nothing serves', async (t) => {
  const error = await t.throwsAsync<Error & { code: number }>(docker('run', '--rm', IMAGE, 'healthcheck'))
  t.is(error?.code, 1)
  t.regex(error?.message ?? '', /127\.0\.0\.1:80\/_sidemint\/health: ECONNREFUSED/)
})

/** Programs that stand in for Docker's and Podman's. */

import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'

/** Each program by its name, as a shell script. Returns the PATH where they are alone, with the shell's own tools. */
export function tools(t: ExecutionContext, scripts: Record<string, string>): string {
  const directory = mkdtempSync(join(tmpdir(), 'sidemint-tools-'))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  for (const [name, script] of Object.entries(scripts)) {
    const path = join(directory, name)
    writeFileSync(path, `#!/bin/sh\nPATH=/usr/bin:/bin\n${script}\n`)
    chmodSync(path, 0o755)
  }
  return directory
}

/**
 * `docker` as it answered for the files here: Docker Compose 2.26, by
 * `docker compose -f NAME.yml --profile '*' config --format json`.
 */
export const RECORDED = `
answers=${join(import.meta.dirname, 'recorded')}
name=\${3##*/}
name=\${name%.yml}
case "$*" in
  "compose -f $3 --profile * config --format json") answer=$name ;;
  "compose -f $3 --profile * config --format json --no-interpolate") answer=$name.no-interpolate ;;
  *) exit 1 ;;
esac
[ -f "$answers/$answer.json" ] && exec sed "s#/stack#${import.meta.dirname}#g" "$answers/$answer.json"
cat "$answers/$answer.stderr" >&2
exit 15`

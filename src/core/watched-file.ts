/** Whether a file has changed: asked of the file system by stat, since bind mounts on Macs report no changes. */

import { statSync } from 'node:fs'

/** How often the file system is asked at most. */
export const LOOK_EVERY_MS = 1_000

export interface WatchedFile {
  /**
   * A text that is another one once the file was written, replaced, removed or made readable. It is at most
   * `LOOK_EVERY_MS` old, so it may be asked for with every request. Never throws.
   */
  version(): string
}

/** `paths`: files that count as one. `now`: epoch ms; a clock that is set back causes a new look. */
export function createWatchedFile(paths: string | readonly string[], now: () => number): WatchedFile {
  let lookedAtMs = Number.NEGATIVE_INFINITY
  let seen = ''
  return {
    version() {
      const atMs = now()
      if (Math.abs(atMs - lookedAtMs) >= LOOK_EVERY_MS) {
        lookedAtMs = atMs
        seen = [paths].flat().map(fingerprint).join(', ')
      }
      return seen
    },
  }
}

/** `ctime` tells what `cp -p` and `touch -r` hide, and a file whose mode was changed. */
function fingerprint(path: string): string {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = statSync(path, { bigint: true })
    return [dev, ino, size, mtimeNs, ctimeNs].join(' ')
  } catch (error) {
    return String((error as NodeJS.ErrnoException).code)
  }
}

/** Whether a file has changed, by stat: bind mounts on Macs report no changes. */

import { statSync } from 'node:fs'

/** The file system is asked at most once in this time. */
export const LOOK_EVERY_MS = 1_000

export interface WatchedFile {
  /**
   * A text that changes when the file is written, replaced, removed or made readable. It is at most `LOOK_EVERY_MS` old, so
   * calling it with every request is cheap. Never throws.
   */
  version(): string
}

/** `paths`: several files count as one. `now`: epoch ms; after the clock is set back, the file is looked at again. */
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

/** `ctime` shows changes that `cp -p` and `touch -r` hide, and a changed mode. */
function fingerprint(path: string): string {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = statSync(path, { bigint: true })
    return [dev, ino, size, mtimeNs, ctimeNs].join(' ')
  } catch (error) {
    return String((error as NodeJS.ErrnoException).code)
  }
}

/** Writes to a stream that are made together. */

import type { Io } from './command.ts'

export interface Joined {
  write(text: string): void
  isTTY: boolean
  /** Writes what is waiting. For the end of the process, when no further turn comes. */
  flush(): void
}

/**
 * Joins the texts of one turn of the event loop into one write, in their order. Under load a log has many lines in a turn,
 * and each write is a system call.
 */
export function joinWrites(to: Io['stderr']): Joined {
  let waiting = ''

  function flush(): void {
    const text = waiting
    waiting = ''
    if (text !== '') to.write(text)
  }

  return {
    write(text) {
      if (waiting === '') setImmediate(flush)
      waiting += text
    },
    isTTY: to.isTTY === true,
    flush,
  }
}

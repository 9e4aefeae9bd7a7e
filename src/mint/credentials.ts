/**
 * The current credentials. The file is read again when it changes, so that a login on the host repairs a running server.
 * A file that is only half written does no harm: until it can be read, the old credentials stay.
 */

import { asFailure, SidemintError } from '../core/errors.ts'
import { createWatchedFile, LOOK_EVERY_MS } from '../core/watched-file.ts'
import type { Adc } from './adc.ts'
import { type AdcPlace, locateAdc, misplacedLogin, refuseMisplacedLogin } from './adc-place.ts'
import { readAdc } from './adc-read.ts'
import { universeOf } from './universe.ts'

/** Reads the credentials of a place. Throws a SidemintError. */
export type ReadAdc = (place: AdcPlace) => Promise<Adc>

export interface Credentials {
  /**
   * Reads the file where it has changed; looks at most once a second. Undefined: it has not changed and is not being
   * read. Never rejects.
   */
  look(): Promise<void> | undefined
  /** The last credentials that could be read; the same object while they are the same. */
  adc(): Adc | undefined
  readonly place: AdcPlace
  /** What is wrong with the file now: 503 where there are earlier credentials, since a half-written file passes by itself. */
  broken(): SidemintError | undefined
}

/**
 * `env`: where the standard variables are read from. `now`: epoch ms. After the first look, `onChange` is called each
 * time that there are other credentials, or that there is another reason why there are none. `readFile`: what reads
 * them; default: the disk.
 */
export function createCredentials(
  env: NodeJS.ProcessEnv,
  now: () => number,
  onChange = () => {},
  readFile: ReadAdc = readAdc,
): Credentials {
  const place = locateAdc(env)
  const paths = [place.path, misplacedLogin(env)].filter((path) => path !== undefined)
  const watched = createWatchedFile(paths, now)
  let seen: string | undefined
  let adc: Adc | undefined
  let broken: SidemintError | undefined
  let reading: Promise<void> | undefined
  let readAtMs = Number.NEGATIVE_INFINITY

  async function read(changed: () => void): Promise<void> {
    try {
      const found = await readInForce(env, place, readFile)
      broken = undefined
      if (JSON.stringify(found) === JSON.stringify(adc)) return
      adc = found
      changed()
    } catch (thrown) {
      const { code, status, message, fix } = asFailure(thrown)
      broken = new SidemintError(code, adc === undefined ? status : 503, message, fix)
      if (adc === undefined) changed()
    }
  }

  /** The file's version shows neither trouble of the system nor a pipe that nobody has written into. */
  function isDueAgain(): boolean {
    return broken?.code === 'CREDENTIALS_NOT_READ' && Math.abs(now() - readAtMs) >= LOOK_EVERY_MS
  }

  return {
    look() {
      const found = watched.version()
      if (reading === undefined && (found !== seen || isDueAgain())) {
        const changed = seen === undefined ? () => {} : onChange
        seen = found
        readAtMs = now()
        reading = read(changed).finally(() => (reading = undefined))
      }
      return reading
    },
    place,
    adc: () => adc,
    broken: () => broken,
  }
}

async function readInForce(env: NodeJS.ProcessEnv, place: AdcPlace, readFile: ReadAdc): Promise<Adc> {
  await refuseMisplacedLogin(env)
  const file = await readFile(place)
  return { ...file, universe: universeOf(file.universe, env) }
}

/** What follows from the table of settings: their types, names and defaults. */

import type * as v from 'valibot'
import type { ChosenOf, Setting, SettledOf, Taker } from '../core/schemas.ts'
import { SETTINGS } from './table.ts'

type Table = typeof SETTINGS
export type SettingName = keyof Table
type TakenBy<T extends Taker> = {
  [N in SettingName]: T extends Table[N]['takenBy'][number] ? N : never
}[SettingName]

/** The settings that some layer set. */
export type Chosen = ChosenOf<Table>

/** All settings; the ones without a default may be absent. */
export type Settings = SettledOf<Table>

/** The library's options. `StartOptions` writes them out for its users, and a test compares the two. */
export type LibrarySettings = { [N in TakenBy<'library'>]?: v.InferInput<Table[N]['schema']> }

const ROWS = Object.entries(SETTINGS) as [SettingName, Setting][]

export function isTakenBy(name: SettingName, taker: Taker): boolean {
  const { takenBy }: Setting = SETTINGS[name]
  return takenBy.includes(taker)
}

/** The settings that a command takes as flags, in the table's order. */
export function settingsOf(taker: Taker): SettingName[] {
  return ROWS.flatMap(([name, { kind }]) => (kind !== 'tree' && isTakenBy(name, taker) ? [name] : []))
}

/** The defaults: those that all share, or those of one taker, or of one in the container image. */
export function defaultsOf(taker?: Taker, inImage = false): Partial<Settings> {
  const values = ROWS.map(([name, row]) => {
    const own =
      taker === undefined ? undefined : ((inImage ? row.imageDefault?.[taker] : undefined) ?? row.defaultOf?.[taker])
    return [name, own ?? row.default] as const
  })
  return Object.fromEntries(values.filter(([, value]) => value !== undefined))
}

export function flagOf(name: string): string {
  return `--${kebab(name)}`
}

export function variableOf(name: string): string {
  return `SIDEMINT_${kebab(name).replaceAll('-', '_').toUpperCase()}`
}

function kebab(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
}

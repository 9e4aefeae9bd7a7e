/**
 * The fenced blocks of a paper. What follows the language says how a block is run, and is not shown by a renderer:
 * `file=PATH` writes it there, `in=FOLDER` runs it there, `not-run="REASON"` leaves it out.
 */

import { readFileSync } from 'node:fs'

export interface Block {
  page: string
  line: number
  language: string
  text: string
  file: string | undefined
  folder: string | undefined
  /** Why it cannot run here. */
  notRun: string | undefined
}

const FENCE = /^```(\w+)(.*)\n([\s\S]*?)^```$/gm

export function blocksOf(root: string, page: string): Block[] {
  const paper = readFileSync(`${root}/${page}`, 'utf8')
  return [...paper.matchAll(FENCE)].map(({ 1: language = '', 2: info = '', 3: text = '', index }) => ({
    page,
    line: paper.slice(0, index).split('\n').length,
    language,
    text,
    file: /\bfile=(\S+)/.exec(info)?.[1],
    folder: /\bin=(\S+)/.exec(info)?.[1],
    notRun: /\bnot-run="([^"]+)"/.exec(info)?.[1],
  }))
}

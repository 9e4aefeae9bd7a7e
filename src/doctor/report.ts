/** Findings for people: one line each, aligned. */

import type { Finding } from './finding.ts'

const WORDS = { ok: 'ok', warn: 'warn', fail: 'FAIL' } as const
const COLOURS = { ok: '\x1b[32m', warn: '\x1b[33m', fail: '\x1b[31m' } as const

export function report(findings: readonly Finding[], { colour }: { colour: boolean }): string {
  const width = Math.max(0, ...findings.map(({ check }) => check.length))
  const indent = ' '.repeat(6 + width + 2)
  return findings
    .map(({ check, status, what, fix, code, claims }) => {
      const word = WORDS[status].padEnd(4)
      const painted = colour ? `${COLOURS[status]}${word}\x1b[0m` : word
      const lines = [
        `${painted}  ${check.padEnd(width)}  ${code === undefined ? '' : `${code}: `}${what.replaceAll('\n', `\n${indent}`)}`,
        ...(fix === undefined ? [] : [`${indent}fix: ${fix}`]),
        ...(claims === undefined ? [] : [`${indent}${JSON.stringify(claims)}`]),
      ]
      return `${lines.join('\n')}\n`
    })
    .join('')
}

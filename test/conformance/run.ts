/** Runs the rules against a server. */

import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { OTHERWISE, type Otherwise } from './otherwise.ts'
import { NotHere, type Rule } from './rule.ts'
import { conceal, createServer } from './server.ts'

const RULES = join(import.meta.dirname, 'rules')
/** At once: a server shall answer, not fall over. */
const TURNS = 8

export interface RuleResult {
  rule: string
  title: string
  source: string
  result: 'ok' | 'failed' | 'not here'
  /** What was found, or why the rule does not apply. */
  found: string[]
}

export interface OtherwiseResult extends Omit<Otherwise, 'isSeen'> {
  /** Whether the server does it as sidemint does; undefined where that cannot be seen. */
  seen: boolean | undefined
}

export interface Report {
  url: string
  /** No rule failed. */
  ok: boolean
  rules: RuleResult[]
  otherwise: OtherwiseResult[]
}

export const NAMES = readdirSync(RULES)
  .map((file) => file.replace(/\.ts$/, ''))
  .sort()

/** `names`: default all. */
export async function runRules(url: string, names: readonly string[] = NAMES): Promise<RuleResult[]> {
  const results: RuleResult[] = []
  const left = [...names]
  const turn = async () => {
    for (let name = left.shift(); name !== undefined; name = left.shift()) results.push(await runRule(url, name))
  }
  await Promise.all(Array.from({ length: TURNS }, turn))
  return results.sort((a, b) => (a.rule < b.rule ? -1 : 1))
}

async function runRule(url: string, name: string): Promise<RuleResult> {
  const { rule }: { rule: Rule } = await import(join(RULES, `${name}.ts`))
  const { title, source } = rule
  try {
    const found = (await rule.check(createServer(url))).map(conceal)
    return { rule: name, title, source, result: found.length === 0 ? 'ok' : 'failed', found }
  } catch (error) {
    const result = error instanceof NotHere ? 'not here' : 'failed'
    return { rule: name, title, source, result, found: [conceal((error as Error).message)] }
  }
}

/** `names`: of the rules; default all. */
export async function createReport(url: string, names?: readonly string[]): Promise<Report> {
  const rules = await runRules(url, names)
  const server = createServer(url)
  const otherwise = OTHERWISE.map(async ({ isSeen, ...entry }) => ({
    ...entry,
    seen: await isSeen?.(server).catch(() => false),
  }))
  return { url, ok: rules.every(({ result }) => result !== 'failed'), rules, otherwise: await Promise.all(otherwise) }
}

/** An explanation in words, its verdict in the first line. */

import { visible } from '../core/visible.ts'
import type { Explanation } from '../inspector/explain.ts'
import type { Check } from '../inspector/rows.ts'
import { shownValue } from '../inspector/shown-value.ts'

export function explanationText(explanation: Explanation): string {
  const { code, decision, status, reason, fix, gate, claims, checks, lines } = explanation
  const by = gate.host === null ? '' : ` by ${gate.host}`
  const decided = decision === 'refused' && gate.mode === 'report' ? 'let through, but would be refused' : decision
  const others = gate.others.length === 0 ? '' : `(--audience asks another gate: ${gate.others.join(', ')})`
  const verdict = `${decided}${by} ${code}${status === null ? '' : ` (${status})`}: ${reason}`
  const parts = [
    [verdict, ...(fix === '' ? [] : [`Fix: ${fix}`]), ...(others === '' ? [] : [others])],
    checks.map((check) => `  ${check.claim.padEnd(5)} ${judged(check).padEnd(11)}  ${shownValue(check)}`),
    claims === null ? [] : ['claims', ...JSON.stringify(claims, null, 2).split('\n')],
    linesText(code, lines),
  ]
  return parts
    .filter((part) => part.length > 0)
    .map((part) => part.map((line) => `${visible(line)}\n`).join(''))
    .join('\n')
}

function judged({ claim, good }: Check): string {
  if (good === undefined) return 'not checked'
  if (good) return 'good'
  return claim === 'email' ? 'no invoker' : 'wrong'
}

function linesText(code: string, { sidemint, gcloud }: Explanation['lines']): string[] {
  if (sidemint === null) return []
  const when =
    code === 'TOKEN_MISSING' ? 'where everybody may call, without a token' : 'or the service takes it as it is'
  return [when, `  sidemint.yaml  ${sidemint}`, ...(gcloud === null ? [] : [`  production     ${gcloud}`])]
}

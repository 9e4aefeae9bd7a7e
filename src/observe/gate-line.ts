/** A call through a gate as lines of the log. */

import type { CutEvent, GateEvent } from '../core/events.ts'
import { hopAddress } from '../core/hop.ts'
import { FIELD_LIMIT, type Line, NOWHERE, placeOf, printable, shortEmail } from './line.ts'

const DECIDED = { allow: 'admitted', refuse: 'refused', report: 'let through, would be refused' }

/** Every decision gets a line, so that they can be counted. */
export function describeGate(event: GateEvent, shownAt: string): Line {
  const { decision, code, status, upstreamStatus, audience, principal, reason } = event
  const as = principal === '' ? '' : ` as ${shortEmail(principal)} for ${printable(audience)}`
  const outcome = `${DECIDED[decision]}${status === undefined ? '' : ` ${status}`}`
  const answered = upstreamStatus === undefined ? '' : `, answered ${upstreamStatus}`
  const why = reason === '' ? '' : `: ${printable(reason, FIELD_LIMIT)}`
  const place = decision === 'allow' ? NOWHERE : placeOf(hopAddress(event), shownAt)
  return {
    text: `${called(event)} ${outcome}${as} ${code}${answered}${why}${place.text}`,
    fields() {
      const { type, at: _at, lines: _lines, wants: _wants, claims: _claims, ...others } = event
      return {
        event: type,
        ...others,
        audience: printable(audience, FIELD_LIMIT),
        reason: printable(reason, FIELD_LIMIT),
        ...place.field,
      }
    },
  }
}

export function describeCut({ call, code, reason }: CutEvent, shownAt: string): Line {
  const { caller, host, method, path, upstreamStatus } = call
  const place = placeOf(hopAddress(call), shownAt)
  const why = printable(reason, FIELD_LIMIT)
  return {
    text: `${called(call)} answered ${upstreamStatus}, and broke off ${code}: ${why}${place.text}`,
    fields: () => ({ event: 'cut', caller, host, method, path, upstreamStatus, code, reason: why, ...place.field }),
    repeat: `cut ${hopAddress(call)} ${reason}`,
  }
}

function called({ caller, host, method, path }: GateEvent): string {
  return `gate ${printable(caller)} -> ${printable(host)} ${printable(method)} ${printable(path, FIELD_LIMIT)}`
}

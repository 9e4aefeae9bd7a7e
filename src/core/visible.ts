/** A text that somebody sent, harmless for a terminal and for whoever reads line by line: what cannot be seen is escaped. */
export function visible(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu,
    (unit) => `\\u${unit.codePointAt(0)?.toString(16).padStart(4, '0')}`,
  )
}

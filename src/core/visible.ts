/** A text from outside with its invisible characters escaped, so that it harms no terminal and makes no second line. */
export function visible(text: string): string {
  // Nearly every text is plain, and the pattern with its classes of Unicode takes ten times as long to see it.
  if (/^[ -~]*$/.test(text)) return text
  return text.replace(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu,
    (unit) => `\\u${unit.codePointAt(0)?.toString(16).padStart(4, '0')}`,
  )
}

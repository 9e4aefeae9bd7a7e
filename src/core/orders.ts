/** How much a test may order of a server. */

export const MOST_TIMES = 1_000_000
export const LONGEST_DELAY_MS = 60_000
/** Of claims, one inside another: JSON.stringify, which the token is made with, fails at some thousand, and so does whoever reads it. */
export const MOST_LEVELS = 100
/** Before and after now, for the end of a token. */
export const MOST_SECONDS = 1_000_000_000

/** Pages of other sites may neither read what the inspector shows nor embed it, and no proxy may keep it. */
export const HEADERS = {
  'Cache-Control': 'no-store',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'X-Content-Type-Options': 'nosniff',
}

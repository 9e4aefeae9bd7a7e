const { createPublicKey } = require('node:crypto')
const { createServer } = require('node:http')
const jsonwebtoken = require('jsonwebtoken')

/** The receiving side: lets a caller in whose ID token is valid, meant for this service, and names a known email. */
function createBilling({ issuer, audience, callers }) {
  return createServer(async (request, response) => {
    try {
      const token = (request.headers.authorization ?? '').replace(/^Bearer /i, '')
      const { header } = jsonwebtoken.decode(token, { complete: true }) ?? {}
      const key = await findKey(issuer, header?.kid)
      const claims = jsonwebtoken.verify(token, key, { algorithms: ['RS256'], issuer, audience: audience() })
      const known = claims.email_verified && callers.includes(claims.email)
      response.writeHead(known ? 200 : 403).end(known ? `billed for ${claims.email}` : 'not for you')
    } catch (error) {
      response.writeHead(401).end(error.message)
    }
  })
}

async function findKey(issuer, kid) {
  const discovery = await (await fetch(`${issuer}/.well-known/openid-configuration`)).json()
  const { keys } = await (await fetch(discovery.jwks_uri)).json()
  const jwk = keys.find((key) => key.kid === kid)
  if (jwk === undefined) throw new Error(`no key ${kid}`)
  return createPublicKey({ key: jwk, format: 'jwk' })
}

module.exports = { createBilling }

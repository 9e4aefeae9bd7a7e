/** Whether Google can be reached, and Google's clock. Checked only where tokens come from Google. */

import { SidemintError } from '../core/errors.ts'
import { type HttpProxy, PROXY_FAULTS } from '../http/proxy.ts'
import { DEFAULT_UNIVERSE } from '../mint/universe.ts'
import { describeSkew, SKEW_REFUSED_MS, SKEW_WARNED_MS } from '../observe/readiness.ts'
import { type Finding, fail, failed, ok } from './finding.ts'
import { type Obstacle, reach } from './reach.ts'

const CHECK = 'network'
const TIMEOUT_MS = 5_000

/** The hosts for access tokens and for impersonation. Another universe has STS and no OAuth host (docs/minting.md, "Universes"). */
function hostsOf(universe: string): string[] {
  return [`${universe === DEFAULT_UNIVERSE ? 'oauth2' : 'sts'}.${universe}`, `iamcredentials.${universe}`]
}

/** `signal`: a host that has not answered is given up. Default: after five seconds. */
export async function checkNetwork(
  env: NodeJS.ProcessEnv,
  universe = DEFAULT_UNIVERSE,
  signal = AbortSignal.timeout(TIMEOUT_MS),
): Promise<Finding[]> {
  const reached = await Promise.all(
    hostsOf(universe).map(async (host) => ({ host, ...(await reach(host, env, signal)) })),
  )
  const aheadMs = reached.find((each) => each.aheadMs !== undefined)?.aheadMs
  return [
    ...reached.map(({ host, proxy, obstacle }) => {
      if (obstacle === undefined) return ok(CHECK, `${host} answers${by(proxy)}`)
      return obstacle instanceof SidemintError ? failed(CHECK, obstacle) : explain(host, proxy, obstacle)
    }),
    ...(aheadMs === undefined ? [] : [clock(aheadMs)]),
  ]
}

function clock(aheadMs: number): Finding {
  const skewMs = Math.abs(aheadMs)
  if (skewMs <= SKEW_WARNED_MS) return ok('clock', "agrees with Google's to a few seconds")
  const finding = failed('clock', describeSkew(-aheadMs))
  return skewMs > SKEW_REFUSED_MS ? finding : { ...finding, status: 'warn' }
}

function by(proxy: HttpProxy | undefined): string {
  return proxy === undefined ? '' : ` through the proxy ${nameOf(proxy)}`
}

/** Not its URL, which may contain a password. */
function nameOf({ address, variable }: HttpProxy): string {
  return `${address} (${variable})`
}

const BEHIND_A_PROXY = 'where only a proxy leads out, set HTTPS_PROXY=http://HOST:PORT'

function explain(host: string, proxy: HttpProxy | undefined, { step, reason }: Obstacle): Finding {
  if (proxy !== undefined && (step === 'proxy' || reason.startsWith('PROXY_')))
    return explainProxy(host, proxy, reason.replace('PROXY_', ''))
  switch (step) {
    case 'TLS':
      return explainTls(host, reason)
    case 'answer':
      return fail(
        CHECK,
        `${host} is connected${by(proxy)}, and does not answer (${reason})`,
        'try again; if it stays so, check whether a firewall cuts connections',
      )
    case 'name':
      return fail(
        CHECK,
        `the name ${host} does not resolve (${reason})`,
        `connect this machine to the network; ${BEHIND_A_PROXY}`,
      )
    default:
      return fail(
        CHECK,
        `no connection to ${host} (${reason}), tried without a proxy`,
        `open the firewall to port 443 of *.${host.replace(/^[^.]*\./, '')}; ${BEHIND_A_PROXY}`,
      )
  }
}

function explainTls(host: string, reason: string): Finding {
  if (/^CERT_(NOT_YET_VALID|HAS_EXPIRED)$/.test(reason))
    return fail(
      CHECK,
      `the certificate of ${host} has expired or is not valid yet (${reason})`,
      'sudo timedatectl set-ntp true',
    )
  return fail(
    CHECK,
    `the certificate of ${host} is not trusted (${reason}): something in between inspects TLS`,
    "export NODE_EXTRA_CA_CERTS=/path/to/your/company's-ca.pem",
  )
}

/** `reason`: the proxy's status, or what else happened to the connection. */
function explainProxy(host: string, proxy: HttpProxy, reason: string): Finding {
  const { variable } = proxy
  const what = `the proxy ${nameOf(proxy)} did not connect to ${host}`
  if (reason === '407')
    return fail(CHECK, `${what}: status 407, it wants a login`, `${variable}=http://USER:PASSWORD@HOST:PORT`)
  if (/^\d+$/.test(reason))
    return fail(CHECK, `${what}: status ${reason}`, `let the proxy pass ${host}:443, or add ${host} to NO_PROXY`)
  const words: Record<string, string> = PROXY_FAULTS
  return fail(
    CHECK,
    `${what}: ${words[reason] ?? reason}`,
    `correct ${variable} (http://HOST:PORT), start that proxy, or unset ${variable}`,
  )
}

/** The way to Google, and Google's clock. Asked only where tokens come from Google. */

import { describeSkew, SKEW_REFUSED_MS, SKEW_WARNED_MS } from '../observe/readiness.ts'
import { type Finding, fail, failed, ok } from './finding.ts'
import { type Obstacle, reach } from './reach.ts'

/** Who gives access tokens, and who impersonates. */
const HOSTS = ['oauth2.googleapis.com', 'iamcredentials.googleapis.com']
const TIMEOUT_MS = 5_000

export async function checkNetwork(env: NodeJS.ProcessEnv): Promise<Finding[]> {
  const reached = await Promise.all(HOSTS.map((host) => reach(host, env, TIMEOUT_MS)))
  const aheadMs = reached.find((each) => each.aheadMs !== undefined)?.aheadMs
  return [
    ...reached.map(({ proxy, obstacle }, index) => {
      const host = HOSTS[index] ?? ''
      if (obstacle === undefined) return ok('network', `${host} answers${proxy === undefined ? '' : ` by ${proxy}`}`)
      return explain(host, proxy, obstacle)
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

function explain(host: string, proxy: string | undefined, { step, reason }: Obstacle): Finding {
  switch (step) {
    case 'name':
      return fail(
        'network',
        `the name ${host} does not resolve (${reason})`,
        'connect this machine to the network; where only a proxy leads out, set HTTPS_PROXY=http://HOST:PORT',
      )
    case 'proxy':
      return fail('network', `${host} is not reached by the proxy of ${proxy}: ${reason}`, proxyFix(host, reason))
    case 'TLS':
      return /^CERT_(NOT_YET_VALID|HAS_EXPIRED)$/.test(reason)
        ? fail('network', `the certificate of ${host} is out of its time (${reason})`, 'sudo timedatectl set-ntp true')
        : fail(
            'network',
            `the certificate of ${host} is not trusted (${reason}): something between inspects TLS`,
            "export NODE_EXTRA_CA_CERTS=/path/to/your/company's-ca.pem",
          )
    case 'answer':
      return fail(
        'network',
        `${host} is connected${proxy === undefined ? '' : ` by ${proxy}`}, and does not answer (${reason})`,
        'try again; if it stays so, look whether a firewall cuts connections',
      )
    case 'connection':
      return fail(
        'network',
        `${host} is not connected (${reason}; HTTPS_PROXY is unset)`,
        'open the firewall to port 443 of *.googleapis.com; where only a proxy leads out, set HTTPS_PROXY=http://HOST:PORT',
      )
  }
}

function proxyFix(host: string, reason: string): string {
  if (reason === 'status 407') return 'put its user and password into the variable: http://USER:PASSWORD@HOST:PORT'
  if (reason.startsWith('status')) return `let the proxy pass ${host}:443, or add ${host} to NO_PROXY`
  return 'correct the variable (http://HOST:PORT), start that proxy, or unset the variable'
}

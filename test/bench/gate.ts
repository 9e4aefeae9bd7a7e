/** The gate: what it adds to a direct call and to its proxy library, and the memory of one for thirty services. */

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { freePort } from '../free-port.ts'
import { type Bench, type Row, row } from './bench.ts'
import { bareAnswers, bareArgv, identityPath, WARM } from './hits.ts'
import { cpuUs, launch, type Measured, residentMiB, SERVER_CORE } from './processes.ts'
import { alternate } from './rounds.ts'

/** Short and many: what slows the machine for a second then spoils few of them. */
const ROUNDS = 41
const REQUESTS = 800
const ONE_BY_ONE = 100
const SERVICES = 30
const AUDIENCE = 'https://service-0-abc123-uc.a.run.app'
const CALLER = 'orders@acme-dev.iam.gserviceaccount.com'
const PROXY = new URL('proxy.mjs', import.meta.url).pathname

export async function benchGate({ load, directory, sidemint }: Bench): Promise<Row[]> {
  const log = join(directory, 'gate.log')
  const [issuerPort, servicePort, proxyPort, gatePort, adminPort, allPort, allAdminPort] = (await Promise.all(
    Array.from({ length: 7 }, freePort),
  )) as [number, number, number, number, number, number, number]
  const issuer = `http://127.0.0.1:${issuerPort}`
  const upstream = `http://127.0.0.1:${servicePort}`
  const metadata = sidemint(['--port', String(issuerPort), '--source', 'local', '--service-account', CALLER])
  const gate = (port: number, admin: number, flags: readonly string[]) =>
    sidemint(['gate', '--port', String(port), '--admin-port', String(admin), '--trust', issuer, ...flags])
  const one = ['--upstream', upstream, '--audience', AUDIENCE, '--invoker', `serviceAccount:${CALLER}`]
  const settings = join(directory, 'gates.yaml')
  writeFileSync(settings, `gates:\n${Array.from({ length: SERVICES }, (_, index) => entry(index, upstream)).join('')}`)

  const servers = await Promise.all([
    launch('issuer', issuerPort, metadata, { log }),
    launch('direct', servicePort, bareArgv(servicePort, bareAnswers(directory, ['/'])), {}),
    launch('httpxy', proxyPort, [process.execPath, PROXY, String(proxyPort), upstream], { core: SERVER_CORE }),
    launch('sidemint gate', gatePort, gate(gatePort, adminPort, one), { core: SERVER_CORE, log }),
    launch('sidemint gate for 30', allPort, gate(allPort, allAdminPort, ['--config', settings]), { log }),
  ])
  try {
    const [, direct, proxy, ours, all] = servers
    const asked = await fetch(`${issuer}${identityPath(0)}`, { headers: { 'Metadata-Flavor': 'Google' } })
    const token = await asked.text()
    const drive = (server: Measured, count: number, connections: number, hosts = ['service-0']) =>
      load
        .drive({
          host: server.host,
          port: server.port,
          requests: hosts.map((host) => `GET / HTTP/1.1\r\nHost: ${host}\r\nAuthorization: Bearer ${token}\r\n\r\n`),
          count,
          connections,
        })
        .then((outcome) => {
          if (Object.keys(outcome.failures).length === 0) return outcome
          throw new Error(`${server.name}: ${JSON.stringify(outcome.failures)}`)
        })
    const cost = (server: Measured & { pid: number }) => async () => {
      const before = cpuUs(server.pid)
      await drive(server, REQUESTS, 16)
      return (cpuUs(server.pid) - before) / REQUESTS
    }
    const latency = (server: Measured) => async () => (await drive(server, ONE_BY_ONE, 1)).medianMs
    for (const server of [direct, proxy, ours]) await drive(server, WARM, 16)
    const costs = await alternate(ROUNDS, { [ours.name]: cost(ours), [proxy.name]: cost(proxy) })
    const latencies = await alternate(ROUNDS, {
      [ours.name]: latency(ours),
      [proxy.name]: latency(proxy),
      [direct.name]: latency(direct),
    })
    const hosts = Array.from({ length: SERVICES }, (_, index) => `service-${index}`)
    await drive(all, SERVICES * 10, 8, hosts)
    const [allMiB, proxyMiB] = await Promise.all([residentMiB(all.pid), residentMiB(proxy.pid)])
    const memory = { [all.name]: [allMiB], httpxy: [proxyMiB] }
    return [
      row({
        what: 'gate, a call let through',
        unit: 'µs CPU',
        figures: costs,
        ours: ours.name,
        base: proxy.name,
        budget: 1.3,
      }),
      row({ what: 'gate, one call after another', unit: 'ms', figures: latencies, ours: ours.name, base: proxy.name }),
      row({ what: 'gate, one call after another', unit: 'ms', figures: latencies, ours: ours.name, base: direct.name }),
      row({
        what: `resident memory, one gate before ${SERVICES} services`,
        unit: 'MiB',
        figures: memory,
        ours: all.name,
        base: 'httpxy',
      }),
    ]
  } finally {
    for (const server of servers) await server.stop()
  }
}

function entry(index: number, upstream: string): string {
  return [
    `  - host: service-${index}`,
    `    upstream: ${upstream}`,
    `    audience: [${AUDIENCE}]`,
    `    invoker: [serviceAccount:${CALLER}]`,
    '',
  ].join('\n')
}

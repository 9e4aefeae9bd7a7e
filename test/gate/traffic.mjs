/**
 * What goes through a gate while its server is asked for tokens, each in a process of its own, so that none waits for
 * another's work: `service`, `upload PORT BYTES`, and `ask PORT PER_SECOND SECONDS PATH HEADERS`.
 */

import http from 'node:http'

const [mode, port, ...rest] = process.argv.slice(2)
const say = (data) => process.stdout.write(`${JSON.stringify(data)}\n`)

/** Answers how many bytes came. */
function serve() {
  const server = http.createServer((req, res) => {
    let bytes = 0
    req.on('data', (chunk) => {
      bytes += chunk.length
    })
    req.on('end', () => res.end(String(bytes)))
  })
  server.listen(0, '127.0.0.1', () => say(server.address().port))
}

function upload(bytes) {
  const headers = { Host: 'shop', 'Content-Length': bytes }
  const request = http.request({ port, host: '127.0.0.1', method: 'POST', headers }, (response) => {
    let text = ''
    response.setEncoding('utf8').on('data', (chunk) => {
      text += chunk
    })
    response.on('end', () => say({ status: response.statusCode, arrived: Number(text) }))
  })
  const chunk = Buffer.alloc(256 * 1024)
  let sent = 0
  const write = () => {
    while (sent < bytes) {
      sent += chunk.length
      if (!request.write(chunk)) return void request.once('drain', write)
    }
    request.end()
  }
  write()
}

/** Asks so many times a second, whether or not the answers keep up, and says how long they took. */
function ask(perSecond, seconds, path, headers) {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 50 })
  const wanted = perSecond * seconds
  const startedAt = performance.now()
  const tookMs = []
  let asked = 0
  let failed = 0
  const once = () => {
    asked += 1
    const askedAt = performance.now()
    const done = (ok) => {
      tookMs.push(performance.now() - askedAt)
      if (!ok) failed += 1
      if (tookMs.length === wanted) end()
    }
    const request = http.get({ port, host: '127.0.0.1', agent, path, headers }, (response) => {
      response.resume().on('end', () => done(response.statusCode === 200))
    })
    request.on('error', () => done(false))
  }
  const timer = setInterval(() => {
    const due = Math.min(wanted, ((performance.now() - startedAt) / 1000) * perSecond)
    while (asked < due) once()
  }, 1)
  const end = () => {
    clearInterval(timer)
    agent.destroy()
    tookMs.sort((a, b) => a - b)
    const at = (share) => Number(tookMs[Math.floor((tookMs.length - 1) * share)].toFixed(1))
    const perSecond = Math.round(wanted / ((performance.now() - startedAt) / 1000))
    say({ answered: tookMs.length, failed, perSecond, medianMs: at(0.5), p99Ms: at(0.99), slowestMs: at(1) })
  }
}

if (mode === 'service') serve()
else if (mode === 'upload') upload(Number(rest[0]))
else ask(Number(rest[0]), Number(rest[1]), rest[2], JSON.parse(rest[3]))

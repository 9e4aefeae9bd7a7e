/** What a server shows and logs, after it was driven with good and bad tokens, holds nothing of them. */

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { readClaims } from '../../src/core/token.ts'
import { serving } from '../commands/run.ts'
import { BILLING, scratch, startService } from '../gate/process.ts'
import { ask, DEFAULT_ACCOUNT, V1 } from '../http-client.ts'
import { openEvents } from './event-source.ts'

const AUDIENCE = 'http://ledger:8080'
const SECRET = 'correct-horse-battery'
const CANARY = 'canary-of-an-audience'
const WORD = 'canary_of_a_variable'
const QUERY = 'canary-of-a-query'
const SHOWN = ['', 'requests?all=true', 'grants', 'state', 'openapi.json', 'metrics', 'ready', 'health']

test('page, data, stream, metrics and log hold no token, no signature, no query and no secret', async (t) => {
  const { url: upstream } = await startService(t)
  const config = join(scratch, 'no-tokens.yaml')
  const gate = { host: 'ledger', upstream, audience: [AUDIENCE], invoker: [`serviceAccount:${BILLING}`] }
  writeFileSync(config, JSON.stringify({ gates: [gate] }))
  const flags = ['--source=local', '--port=0', '--gate-port=0', '--service-account', BILLING, '--log-level=debug']
  const argv = ['serve', ...flags, '--config', config]
  const running = await serving<{ event: string; url: string; gateUrls: string[] }>(t, argv, {
    SIDEMINT_CONTROL_SECRET: SECRET,
  })
  const { url, gateUrls } = running.banner
  const stream = await openEvents(url)
  const tokenFor = async (path: string) => (await ask(url, `${DEFAULT_ACCOUNT}/${path}`)).body
  const good = await tokenFor(`identity?audience=${AUDIENCE}&format=full`)
  const other = await tokenFor(`identity?audience=http://other&x=${QUERY}`)
  const access = JSON.parse(await tokenFor('token')).access_token as string
  const issued = await fetch(`${url}/_sidemint/control/issue`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${SECRET}` },
    body: JSON.stringify({ audience: AUDIENCE, expiresInSeconds: -600 }),
  })
  const { token: expired } = (await issued.json()) as { token: string }
  const broken = `${good.slice(0, -8)}AAAAAAAA`
  const misplaced: string[] = []
  for (const audience of [
    good,
    `Bearer ${other}`,
    `ya29.${CANARY}`,
    `https://ann:${CANARY}@ledger/entries`,
    `https://ledger/entries?key=${CANARY}`,
  ]) {
    const { status, body } = await ask(url, `${DEFAULT_ACCOUNT}/identity?${new URLSearchParams({ audience })}`)
    t.is(status, 200)
    t.is(readClaims(body)?.aud, audience, 'the token itself is as asked')
    if (!audience.includes('?')) misplaced.push(body)
    await ask(url, `${DEFAULT_ACCOUNT}/token?${new URLSearchParams({ scopes: audience })}`)
    await ask(url, `${V1}/instance/service-accounts/nobody@x.example/identity?${new URLSearchParams({ audience })}`)
  }
  const beside = [`[object Object] ${CANARY}`, `[object Promise], ${good}`, `<${CANARY}>`, `$${WORD}`]
  const sent = [good, other, access, expired, broken, `${good} ${other}`, ...misplaced, ...beside]
  let explained = ''
  for (const token of sent) {
    const Authorization = `Bearer ${token}`
    await ask(gateUrls[0] ?? '', `/entries?secret=${QUERY}`, { headers: { Host: 'ledger', Authorization } })
    explained += (await ask(url, '/_sidemint/explain', { headers: { Authorization } })).body
  }
  await running.logged('gate', sent.length)
  while (!stream.text().includes('TOKENS_SEVERAL')) await stream.next()
  const shown = await Promise.all(SHOWN.map(async (path) => (await ask(url, `/_sidemint/${path}`)).body))
  const all: Record<string, string> = {
    ...Object.fromEntries(SHOWN.map((path, at) => [path, shown[at] ?? ''])),
    explain: explained,
    stream: stream.text(),
    log: JSON.stringify(running.records()),
  }
  for (const place of ['requests?all=true', 'stream', 'log']) t.true(all[place]?.includes('/entries'), place)
  const secrets = [good, other, expired, broken].flatMap((token) => token.split('.').slice(1))
  for (const place of ['requests?all=true', 'state', 'log'])
    t.true(all[place]?.includes('https://***@ledger/entries'), place)
  for (const [place, text] of Object.entries(all)) {
    for (const secret of [...secrets, access, access.slice(-20), QUERY, SECRET, CANARY, WORD])
      t.false(text.includes(secret), place)
    t.notRegex(text, /[\w-]{10,}\.[\w-]{20,}\.[\w-]{20,}/, place)
  }
})

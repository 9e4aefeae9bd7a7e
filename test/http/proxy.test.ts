import test from 'ava'
import type { SidemintError } from '../../src/core/errors.ts'
import { proxyFor } from '../../src/http/proxy.ts'

const GOOGLE = 'https://oauth2.googleapis.com/token'
const PROXY = 'http://proxy.corp:3128'

const FOUND: [title: string, env: NodeJS.ProcessEnv, target: string, found: string | undefined][] = [
  ['no variable is no proxy', {}, GOOGLE, undefined],
  ['an empty variable is no proxy', { HTTPS_PROXY: '', ALL_PROXY: '' }, GOOGLE, undefined],
  ['HTTPS_PROXY counts before all others', { ALL_PROXY: 'a:1', HTTP_PROXY: 'b:1', HTTPS_PROXY: 'c:1' }, GOOGLE, 'c:1'],
  ['lower case counts', { https_proxy: PROXY }, GOOGLE, 'proxy.corp:3128'],
  ['HTTP_PROXY counts for https too', { HTTP_PROXY: 'b:1', ALL_PROXY: 'a:1' }, GOOGLE, 'b:1'],
  ['ALL_PROXY counts for https', { ALL_PROXY: 'a:1' }, GOOGLE, 'a:1'],
  ['all_proxy counts for http', { all_proxy: 'a:1' }, 'http://idp.example/', 'a:1'],
  ['HTTPS_PROXY is not for http', { HTTPS_PROXY: PROXY }, 'http://idp.example/', undefined],
  ['without a scheme it is http', { HTTPS_PROXY: 'proxy.corp:3128' }, GOOGLE, 'proxy.corp:3128'],
  ['a name alone is a proxy', { HTTPS_PROXY: 'proxy' }, GOOGLE, 'proxy:1080'],
  ['without a port it is 1080', { HTTPS_PROXY: 'http://ann:x@proxy.corp/' }, GOOGLE, 'proxy.corp:1080'],
  ['an IPv6 address has its port behind the bracket', { HTTPS_PROXY: 'http://[fd00::7]' }, GOOGLE, '[fd00::7]:1080'],
  ['port 80 is one', { HTTPS_PROXY: 'proxy.corp:80' }, GOOGLE, 'proxy.corp:80'],
  ['without a port an https proxy is at 443', { HTTPS_PROXY: 'https://proxy.corp' }, GOOGLE, 'proxy.corp:443'],
  ['spaces around it do not count', { HTTPS_PROXY: ` ${PROXY}\n` }, GOOGLE, 'proxy.corp:3128'],
  ['an https proxy is one', { HTTPS_PROXY: 'https://proxy.corp:8443' }, GOOGLE, 'proxy.corp:8443'],
  ['a password is not part of its address', { HTTPS_PROXY: 'ann:hunter2@proxy.corp:3128' }, GOOGLE, 'proxy.corp:3128'],
]
for (const [title, env, target, found] of FOUND) {
  test(title, (t) => t.is(proxyFor(target, env)?.address, found))
}

test('the variable is named, and its scheme kept', (t) => {
  t.like(proxyFor(GOOGLE, { https_proxy: 'proxy.corp:3128' }), { variable: 'https_proxy' })
  t.is(proxyFor(GOOGLE, { https_proxy: 'proxy.corp:3128' })?.url.href, `${PROXY}/`)
  t.is(proxyFor(GOOGLE, { https_proxy: 'https://proxy.corp' })?.url.protocol, 'https:')
})

const SPARED: [list: string, target: string][] = [
  ['*', GOOGLE],
  ['a.example, *', GOOGLE],
  ['oauth2.googleapis.com', GOOGLE],
  ['googleapis.com', GOOGLE],
  ['.googleapis.com', GOOGLE],
  ['*.googleapis.com', GOOGLE],
  ['GOOGLEAPIS.COM', GOOGLE],
  ['googleapis.com.', GOOGLE],
  ['googleapis.com', 'https://OAUTH2.googleapis.com./token'],
  ['googleapis.com', 'https://googleapis.com/'],
  ['.googleapis.com', 'https://googleapis.com/'],
  ['a.example,googleapis.com', GOOGLE],
  [' a.example , googleapis.com ', GOOGLE],
  ['a.example googleapis.com', GOOGLE],
  ['googleapis.com:443', GOOGLE],
  ['10.0.0.7', 'https://10.0.0.7/'],
  ['10.0.0.0/8', 'https://10.0.0.7/'],
  ['fd00::7', 'https://[fd00::7]/'],
  ['[fd00::7]', 'https://[fd00::7]/'],
  ['[fd00::7]:443', 'https://[fd00::7]/'],
  ['fd00::/8', 'https://[fd00::7]/'],
]
for (const [list, target] of SPARED) {
  test(`NO_PROXY=${list} spares ${target}`, (t) => {
    t.is(proxyFor(target, { HTTPS_PROXY: PROXY, NO_PROXY: list }), undefined)
    t.is(proxyFor(target, { HTTPS_PROXY: PROXY, no_proxy: list }), undefined)
  })
}

const NOT_SPARED: [list: string, target: string][] = [
  ['', GOOGLE],
  [', ,', GOOGLE],
  ['leapis.com', GOOGLE],
  ['googleapis', GOOGLE],
  ['googleapis.com.evil.example', GOOGLE],
  ['iam.oauth2.googleapis.com', GOOGLE],
  ['googleapis.com:80', GOOGLE],
  ['googleapis.com:443', 'https://oauth2.googleapis.com:8443/'],
  ['0.0.7', 'https://10.0.0.7/'],
  ['10.0.0.0/33', 'https://10.0.0.7/'],
  ['10.0.0.0/x', 'https://10.0.0.7/'],
  ['11.0.0.0/8', 'https://10.0.0.7/'],
]
for (const [list, target] of NOT_SPARED) {
  test(`NO_PROXY=${list} does not spare ${target}`, (t) => {
    t.is(proxyFor(target, { HTTPS_PROXY: PROXY, NO_PROXY: list })?.address, 'proxy.corp:3128')
  })
}

for (const host of ['localhost', 'api.localhost', '127.0.0.1', '127.9.9.9', '169.254.169.254', '[::1]', '[fe80::1]']) {
  test(`${host} is never reached by a proxy`, (t) => {
    t.is(proxyFor(`http://${host}:8080/token`, { ALL_PROXY: PROXY }), undefined)
    t.is(proxyFor(`https://${host}/token`, { HTTPS_PROXY: 'socks5://proxy:1080' }), undefined)
  })
}

const UNUSABLE: [value: string, reason: string][] = [
  ['socks5://ann:hunter2@proxy:1080', 'SOCKS proxies are not supported'],
  ['SOCKS://ann:hunter2@proxy', 'SOCKS proxies are not supported'],
  ['ftp://ann:hunter2@proxy', 'proxies of the kind ftp:// are not supported'],
  ['http://ann:hunter2@', 'it is not a URL'],
  ['http://ann:hunter2%@proxy:1', 'a % in its user or password is not written as %25'],
]
for (const [value, reason] of UNUSABLE) {
  test(`a proxy that cannot be used is told without its password: ${value}`, (t) => {
    const error = t.throws(() => proxyFor(GOOGLE, { ALL_PROXY: value })) as SidemintError
    t.like(error, { code: 'PROXY_UNUSABLE', status: 403 })
    t.is(error.message, `the variable ALL_PROXY does not name a usable proxy: ${reason}`)
    t.notRegex(`${error.message}${error.fix}`, /ann|hunter2/)
  })
}

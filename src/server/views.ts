/** The view in force, and how the next one takes its place while requests run. */

import type { Settings } from '../config/settings.ts'
import { type SidemintError, withFix } from '../core/errors.ts'
import { createNotice } from '../core/events.ts'
import { reachable } from '../core/host.ts'
import type { ReadFile } from '../core/snapshot.ts'
import { createFront, type Front, type FrontOptions } from '../gate/front.ts'
import type { Listener } from '../http/listener.ts'
import { createPorts } from '../http/ports.ts'
import { servedAsIs } from '../identity/advice.ts'
import type { Identities } from '../identity/identities.ts'
import { createWaiting } from '../metadata/waiting.ts'
import { createView, OWN_PORT, type Shared, type View } from './view.ts'

export interface ViewsOptions extends Omit<Shared, 'waiting'> {
  settings: Settings
  identities: Identities
  /** Whether the settings' gates are fronted too. */
  frontGates: boolean
  /** What reads policies. Default: the disk. */
  readFile?: ReadFile | undefined
}

export interface Views {
  current(): View
  /** Puts a view of other settings in the place of this one. Where it throws, this one stays as it is. */
  apply(settings: Settings, readFile: ReadFile): Promise<void>
  /** What the current view shows has changed in another way: there are other credentials. */
  changed(): void
  close: Listener['close']
}

const NO_GATES: Front = { judges: [], doors: new Map() }

/** Listens. Throws SETTINGS_INVALID for policies that cannot be used, PORT_TAKEN and ADDRESS_UNAVAILABLE. */
export async function openViews(options: ViewsOptions): Promise<Views> {
  const { settings: first, identities, frontGates, readFile: firstRead, ...outliving } = options
  const { address, events, now, callers } = outliving
  const ports = createPorts()
  const fetched: FrontOptions['fetched'] = new Map()
  const waiting = createWaiting({ ask: (inbound) => view.metadata(inbound), onRefusal: warnBy(outliving) })
  const shared: Shared = { ...outliving, waiting }
  let view = createView(shared, first, identities)
  const urlOf = (port: number) => `http://${reachable(first.host)}:${port}`

  async function enter(next: View, readFile: ReadFile | undefined): Promise<void> {
    const { judges, doors } = frontGates
      ? await createFront(address.url, { ...shownBy(next), fetched, readFile, events, now, callerOf: callers.labelOf })
      : NO_GATES
    const prepared = await ports.prepare(new Map([...next.doors, ...doors]))
    next.opened(prepared)
    const urls = [...doors.keys()].map((name) => urlOf(prepared.portOf(name)))
    next.front = { judges, gates: judges.map(({ gate }) => gate), urls }
    // From here on nothing waits: a request is answered by the one view or by the other.
    prepared.enter()
    next.identities.enter()
    view = next
    waiting.changed()
  }

  const close: Views['close'] = (graceMs, lastCall) => {
    waiting.close()
    return ports.close(graceMs, lastCall)
  }

  try {
    // Gates trust the server's own URL, whose port may be a free one.
    const own = await ports.prepare(view.doors)
    view.opened(own)
    own.enter()
    address.url = urlOf(own.portOf(OWN_PORT))
    await enter(view, firstRead)
  } catch (error) {
    await close(0)
    throw error
  }
  return warnOfLogins(outliving, {
    current: () => view,
    async apply(settings, readFile) {
      await enter(createView(shared, settings, identities.renew(settings)), readFile)
    },
    changed: waiting.changed,
    close,
  })
}

/** Warns where a person's own login comes to be served after the start: at the start, the banner does. */
function warnOfLogins({ events, now }: Pick<Shared, 'events' | 'now'>, views: Views): Views {
  const notice = createNotice(events, now)
  const served = () => {
    const { settings, identities } = views.current()
    return settings.allowUserTokens ? identities.ownLogin() : undefined
  }
  let before = served()
  function compare(): void {
    const login = served()
    if (login !== undefined && before === undefined) notice('warn', 'USER_TOKENS_SERVED', servedAsIs(login))
    before = login
  }
  return {
    ...views,
    apply: (settings, readFile) => views.apply(settings, readFile).then(compare),
    changed() {
      views.changed()
      compare()
    },
  }
}

function warnBy({ events, now }: Pick<Shared, 'events' | 'now'>): (error: SidemintError) => void {
  const notice = createNotice(events, now)
  return (error) => notice('warn', error.code, withFix(error))
}

/** What gates take from a view. */
function shownBy({ settings, identities }: View): Pick<FrontOptions, 'settings' | 'keys' | 'accounts' | 'place'> {
  const { local, namedProject, all } = identities
  return {
    settings,
    keys: local?.keys,
    accounts: all.flatMap(({ accounts }) => accounts),
    place: { project: namedProject, region: settings.region },
  }
}

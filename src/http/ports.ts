/** The open ports of a process as one set, which is replaced as a whole while requests run. */

import { type Listener, type ListenOptions, listen } from './listener.ts'

/** How long requests of a port that is not wanted any more may go on. */
const DRAIN_MS = 60_000

/** The ports that are wanted, by a name of their own. What has the same name in the next set stays open. */
export type Doors = ReadonlyMap<string, ListenOptions>

/** A set whose ports are all open, while the one before is still in force. */
export interface PreparedDoors {
  /** The port of a name. */
  portOf(name: string): number
  /** Gives every port its handlers of this set. The ports that are not in it accept nothing more, and are drained. */
  enter(): void
}

export interface Ports {
  /**
   * Opens the ports that are not open yet. Of one that is, only the handlers can be replaced. Throws PORT_TAKEN and
   * ADDRESS_UNAVAILABLE; then the ports are as they were.
   */
  prepare(doors: Doors): Promise<PreparedDoors>
  /** As of a listener, for all of them, those being drained among them. */
  close: Listener['close']
}

interface Open {
  door: ListenOptions
  listener: Listener
}

export function createPorts(): Ports {
  const open = new Map<string, Open>()
  const drained = new Set<Listener>()

  async function drain(listener: Listener): Promise<void> {
    drained.add(listener)
    await listener.close(DRAIN_MS)
    drained.delete(listener)
  }

  return {
    async prepare(doors) {
      const added = new Map<string, Open>()
      try {
        for (const [name, door] of doors) if (!open.has(name)) added.set(name, await openDoor(door))
      } catch (error) {
        await Promise.all([...added.values()].map(({ listener }) => listener.close(0)))
        throw error
      }
      return {
        portOf: (name) => (added.get(name) ?? open.get(name))?.listener.port ?? 0,
        enter() {
          for (const [name, one] of added) open.set(name, one)
          for (const [name, one] of open) {
            const door = doors.get(name)
            if (door !== undefined) one.door = door
            else {
              open.delete(name)
              void drain(one.listener)
            }
          }
        },
      }
    },
    async close(graceMs, lastCall) {
      const all = [...[...open.values()].map(({ listener }) => listener), ...drained]
      await Promise.all(all.map((listener) => listener.close(graceMs, lastCall)))
    },
  }
}

async function openDoor(first: ListenOptions): Promise<Open> {
  const one = { door: first }
  const { upgrade } = first
  const listener = await listen({
    ...first,
    handler: (req, res) => one.door.handler(req, res),
    ...(upgrade === undefined ? {} : { upgrade: (req, socket, head) => one.door.upgrade?.(req, socket, head) }),
    unreadable: (bytes) => one.door.unreadable?.(bytes),
  })
  return Object.assign(one, { listener })
}
